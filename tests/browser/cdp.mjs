/** Chromium by its own protocol and a pipe. Playwright tells every page that it has the focus; here a tab can hide. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { executable, flags } from './chromium.mjs';

export async function openRaw(wishes) {
  const profile = await mkdtemp(join(tmpdir(), 'vivavoce-'));
  const child = spawn(
    executable(),
    ['--headless', '--remote-debugging-pipe', `--user-data-dir=${profile}`, ...flags(wishes), 'about:blank'],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
  );
  const [, , , out, back] = child.stdio;
  const waiting = new Map();
  let [last, rest] = [0, ''];
  back.on('data', (data) => {
    const parts = (rest + data).split('\0');
    rest = parts.pop();
    for (const part of parts) {
      const { id, result, error } = JSON.parse(part);
      const [resolve, reject] = waiting.get(id) ?? [];
      waiting.delete(id);
      if (error) reject?.(new Error(error.message));
      else resolve?.(result);
    }
  });
  const send = (method, params = {}, sessionId) =>
    new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, [resolve, reject]);
      out.write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
    });
  const close = async () => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    await send('Browser.close').catch(() => undefined);
    await gone;
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  return { send, close };
}
