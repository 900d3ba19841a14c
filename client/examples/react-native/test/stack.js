// Starts the local stack with a simulated model, unless VIVAVOCE_PAGE names one.
const { spawn } = require('node:child_process');
const path = require('node:path');
const { createInterface } = require('node:readline');

const VIVAVOCE = path.resolve(__dirname, '../../../../.venv/bin/vivavoce');

module.exports = async function start() {
  if (process.env.VIVAVOCE_PAGE) return;
  const { GEMINI_API_KEY: _, ...env } = process.env;
  const stack = spawn(VIVAVOCE, ['dev', '--port', '0', '--json', '--quiet'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  globalThis.vivavoceStack = stack;
  const isGone = new Promise((_resolve, reject) => {
    stack.once('error', reject);
    stack.once('exit', (code) => reject(new Error(`the local stack ended with ${code}`)));
  });
  const line = new Promise((resolve) => createInterface(stack.stdout).once('line', resolve));
  process.env.VIVAVOCE_PAGE = JSON.parse(await Promise.race([line, isGone])).page;
  isGone.catch(() => {});
};
