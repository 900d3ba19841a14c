/** Writes docs/screenshots from the built page's scripted scenes: node tests/browser/screenshots.mjs [folder]
 *
 * Those of a call are of a real one: pictures.mjs. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from './chromium.mjs';
import { serve } from './static.mjs';

const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const SHOTS = [
  ['idle-light', 'idle', DESKTOP, 'light'],
  ['idle-dark', 'idle', DESKTOP, 'dark'],
  ['recovered-light', 'recovered', DESKTOP, 'light'],
  ['error-light', 'error', DESKTOP, 'light'],
  ['error-dark', 'error', DESKTOP, 'dark'],
  ['phone-idle-light', 'idle', PHONE, 'light'],
  ['phone-instruments-light', 'recovered', PHONE, 'light', 'Instruments'],
  ['phone-error-dark', 'error', PHONE, 'dark'],
];

const folder = process.argv[2] ?? fileURLToPath(new URL('../../docs/screenshots', import.meta.url));
await mkdir(folder, { recursive: true });
const site = await serve();
const browser = await launch();
for (const [name, scene, viewport, colorScheme, view] of SHOTS) {
  const page = await browser.newPage({ viewport, colorScheme, deviceScaleFactor: 1, reducedMotion: 'reduce' });
  await page.goto(`${site.url}/?demo=${scene}`);
  await page.evaluate(() => document.fonts.ready);
  if (view) await page.getByRole('button', { name: view }).click();
  await page.waitForTimeout(250); // the observatory draws ten times a second
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await page.close();
}
await browser.close();
site.close();
console.log(`${SHOTS.length} screenshots in ${folder}`);
