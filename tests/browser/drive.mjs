/** Runs one scenario in Chromium and prints what was seen as one line of JSON: node drive.mjs NAME '{"url": …}' */
import { launch } from './chromium.mjs';

const [name, given = '{}'] = process.argv.slice(2);
const wishes = JSON.parse(given);
const { default: scenario, raw = false } = await import(`./scenarios/${name}.mjs`);
const browser = raw ? null : await launch(wishes.launch);
try {
  const seen = await scenario(browser, wishes);
  process.stdout.write(`${JSON.stringify(seen)}\n`);
} finally {
  await browser?.close();
}
