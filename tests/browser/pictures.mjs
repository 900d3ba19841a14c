/** Writes the pictures of a call into docs/screenshots, from a real one: node tests/browser/pictures.mjs URL [folder]
 *
 * URL is the page that `make run` prints. The microphone hears two recorded sentences and, in the middle of the second
 * answer, an interruption. Nothing on the page is scripted. */
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from './chromium.mjs';
import * as visit from './visit.mjs';

const RATE_HZ = 16_000;
const HEADER_BYTES = 44;
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
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
const browser = await launch({ wav: microphone });
try {
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
} finally {
  await browser.close();
  await rm(room, { recursive: true });
}
console.log(`the pictures of a call are in ${folder}`);
