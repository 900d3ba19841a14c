/**
 * The page of an app made with the hooks: one click, a spoken question, its answer in words and out of the loudspeaker;
 * with `isTalkedOver`, a second question over that answer, and the answer to that.
 */
import { brokenEverywhere } from '../rules.mjs';
import * as visit from '../visit.mjs';

export default async function example(browser, { url, isTalkedOver = false }) {
  const page = await visit.open(browser, url, { listens: true, tap: visit.inlineTap() });
  const alert = page.locator('main').getByRole('alert'); // a framework may have one of its own beside it
  const click = (name) => page.getByRole('button', { name }).click({ timeout: 10_000 });
  await click('Talk').catch((error) => {
    throw new Error(`no button to press: ${page.errors.join('\n')}`, { cause: error });
  });
  await Promise.race([
    visit.received(page, isTalkedOver ? 'turn.interrupted' : 'turn.ended', 1, 40_000),
    alert.waitFor().then(async () => {
      throw new Error(`${await alert.innerText()}\n${page.errors.join('\n')}`);
    }),
  ]);
  await page.waitForFunction(
    (count) => document.querySelector('output').textContent === 'listening' && document.querySelectorAll('[role=log] p').length >= count,
    isTalkedOver ? 4 : 2,
  );
  const lines = await page.getByRole('log').locator('p').allInnerTexts();
  const sound = await visit.heard(page);
  const rules = isTalkedOver ? await brokenEverywhere(page, 'in a call') : { checked: 0, found: [] };
  await click('Hang up');
  await page.getByRole('button', { name: 'Talk' }).waitFor();
  await page.waitForFunction(() => document.querySelector('output').textContent === 'closed');
  return { lines, sound, rules, errors: page.errors };
}
