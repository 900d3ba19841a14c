/** Writes the pictures of a call into docs/screenshots, from real ones: node tests/browser/pictures.mjs URL [folder]
 *
 * URL is the page that `make run` prints. One call is on it, one on the HTML example, whose element gets the looks of the
 * page around it. The microphone hears two recorded sentences and, in the middle of the second answer, an interruption.
 * Nothing in the calls is scripted. */
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from './chromium.mjs';
import { serve } from './static.mjs';
import * as visit from './visit.mjs';

const RATE_HZ = 16_000;
const HEADER_BYTES = 44;
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const CARD = { width: 560, height: 880 };
/** A page of somebody's, with the typeface of ours. */
const LOOKS = `
@font-face { font-family: 'Atkinson Hyperlegible Next'; src: url(/console/node_modules/@fontsource-variable/atkinson-hyperlegible-next/files/atkinson-hyperlegible-next-latin-wght-normal.woff2); font-weight: 200 800; }
body { margin: 0; display: grid; place-content: center; min-height: 100vh; background: light-dark(#eceff0, #0e1113); color: light-dark(#101416, #edf1f2); }
main { width: 400px; --vivavoce-height: 28rem; }
h1 { margin: 0 0 16px; font: 650 1.75rem/1.2 'Atkinson Hyperlegible Next'; letter-spacing: -0.02em; }
`;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const [url, folder = here('../../docs/screenshots')] = process.argv.slice(2);
if (!url) throw new Error('the address of the page, as `make run` prints it');

const silence = (seconds) => Buffer.alloc(2 * Math.round(RATE_HZ * seconds));
const sample = async (name) => (await readFile(here(`../../simulator/samples/${name}.wav`))).subarray(HEADER_BYTES);

/** s16le, mono. */
function wav(pcm) {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + pcm.length, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(RATE_HZ, 24);
  header.writeUInt32LE(2 * RATE_HZ, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(pcm.length, 40);
  return Buffer.concat([header, pcm]);
}

async function picture(page, name, viewport, colorScheme) {
  await page.setViewportSize(viewport);
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
  await page.waitForTimeout(250); // the observatory draws ten times a second
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

const room = await mkdtemp(join(tmpdir(), 'vivavoce-'));
const microphone = join(room, 'said.wav');
const [question, frage, interruption] = await Promise.all(['question', 'frage', 'interruption'].map(sample));
const said = [silence(2), question, silence(9), frage, silence(3.4), interruption, silence(30)];
await writeFile(microphone, wav(Buffer.concat(said)));
await mkdir(folder, { recursive: true });

/** A call that only starts a relay: the recording begins with the microphone, and does not wait for one. */
async function wake(browser) {
  const page = await visit.open(browser, url);
  await visit.start(page);
  await visit.becomes(page, 'Listening', 60_000);
  await visit.hangUp(page);
  await visit.becomes(page, 'Call ended');
}

/** The console, in a call. */
async function consolePage(browser) {
  const page = await visit.open(browser, url);
  await visit.start(page);
  await visit.received(page, 'turn.interrupted', 1, 60_000);
  await visit.becomes(page, 'Speaking', 30_000);
  await page.waitForTimeout(1200);
  await picture(page, 'call-light', DESKTOP, 'light');
  await picture(page, 'call-dark', DESKTOP, 'dark');
  await picture(page, 'phone-call-light', PHONE, 'light');
  await picture(page, 'phone-call-dark', PHONE, 'dark');
  await visit.hangUp(page);
  await visit.becomes(page, 'Call ended');
}

/** The element on a page, in a call. */
async function element(browser) {
  const site = await serve(here('../../client'));
  const page = await visit.open(browser, `${site.url}/examples/html/`, { options: { deviceScaleFactor: 2 } });
  const call = page.locator('vivavoce-call');
  await call.evaluate((card, tokenUrl) => card.setAttribute('token-url', tokenUrl), new URL('/dev/session.json', url).href);
  await page.addStyleTag({ content: LOOKS });
  await page.evaluate(() => document.fonts.load('1rem "Atkinson Hyperlegible Next"'));
  await page.emulateMedia({ reducedMotion: 'no-preference' });
  await call.getByRole('button', { name: 'Start talking' }).click();
  await visit.received(page, 'turn.interrupted', 1, 60_000);
  await call.locator('.state', { hasText: 'Speaking' }).waitFor({ timeout: 30_000 });
  await page.waitForTimeout(700);
  await picture(page, 'element-light', CARD, 'light');
  await picture(page, 'element-dark', CARD, 'dark');
  await call.getByRole('button', { name: 'End call' }).click();
  await call.locator('.state', { hasText: 'Call ended' }).waitFor();
  site.close();
}

try {
  for (const take of [wake, consolePage, element]) {
    const browser = await launch({ wav: microphone }); // which hears the recording once
    await take(browser).finally(() => browser.close());
  }
} finally {
  await rm(room, { recursive: true });
}
console.log(`the pictures of the calls are in ${folder}`);
