/** Every scripted scene, in both colour schemes and on a phone, against axe's rules. */
import { broken, brokenEverywhere } from '../rules.mjs';

const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 390, height: 844 };
const SCENES = [
  ['idle', 'light', WIDE],
  ['connecting', 'dark', WIDE],
  ['call', 'light', WIDE, 'Sound'],
  ['call', 'dark', WIDE, 'Sound'],
  ['recovered', 'light', WIDE],
  ['reconnecting', 'dark', WIDE],
  ['error', 'light', WIDE],
  ['error', 'dark', NARROW],
  ['idle', 'dark', NARROW],
  ['call', 'light', NARROW, 'Instruments'],
  ['recovered', 'dark', NARROW, 'Instruments'],
];

export default async function axe(browser, { url }) {
  const found = [];
  let checked = 0;
  const page = await browser.newPage();
  const check = async (name) => {
    const { checked: passed, found: rules } = await broken(page);
    checked += passed;
    found.push(...rules.map((each) => ({ scene: name, ...each })));
  };
  for (const [scene, colorScheme, viewport, press] of SCENES) {
    const name = `${scene} ${colorScheme} ${viewport.width}`;
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.setViewportSize(viewport);
    await page.goto(`${url}/?demo=${scene}`);
    await page.locator('.words-state').waitFor();
    await page.waitForTimeout(150); // the instruments draw ten times a second
    await check(name);
    if (!press) continue;
    await page.getByRole('button', { name: press }).click();
    await check(`${name}, ${press}`);
  }
  for (const scene of ['idle', 'call', 'error']) {
    await page.goto(`${url}/?demo=${scene}`);
    await page.locator('.words-state').waitFor();
    const everywhere = await brokenEverywhere(page, scene);
    checked += everywhere.checked;
    found.push(...everywhere.found);
  }
  return { checked, found };
}
