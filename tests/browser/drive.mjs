/**
 * Runs scenarios in Chromium, one after the other: reads a line of JSON for each, {"scenario": NAME, "url": …}, and
 * prints a line, {"seen": …} or {"error": …}. One browser serves all that want the same flags; the contexts that a
 * scenario has opened are closed after it. Ends, with its browsers, when its input does. By hand, for one scenario:
 * node drive.mjs NAME '{"url": …}'
 */
import { createInterface } from 'node:readline';
import { launch } from './chromium.mjs';

const browsers = new Map();

async function browserFor(wishes = {}) {
  const flags = JSON.stringify(wishes);
  if (!browsers.get(flags)?.isConnected()) browsers.set(flags, await launch(wishes));
  return browsers.get(flags);
}

async function run({ scenario: name, ...wishes }) {
  const { default: scenario, raw = false } = await import(`./scenarios/${name}.mjs`);
  if (raw) return scenario(null, wishes);
  const browser = await browserFor(wishes.launch);
  try {
    return await scenario(browser, wishes);
  } finally {
    for (const context of browser.contexts()) await context.close();
  }
}

const [name, given = '{}'] = process.argv.slice(2);
const asked = name ? [JSON.stringify({ scenario: name, ...JSON.parse(given) })] : createInterface({ input: process.stdin });
for await (const line of asked) {
  const told = await run(JSON.parse(line)).then(
    (seen) => ({ seen }),
    (error) => ({ error: error.stack ?? String(error) }),
  );
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
for (const browser of browsers.values()) await browser.close();
