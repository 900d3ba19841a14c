/** The React example: one click, a spoken question, its answer in words and out of the loudspeaker. */
import * as visit from '../visit.mjs';

export default async function example(browser, { url }) {
  const page = await visit.open(browser, url, { listens: true, tap: visit.inlineTap() });
  const click = (name) => page.getByRole('button', { name }).click({ timeout: 10_000 });
  await click('Talk').catch((error) => {
    throw new Error(`no button to press: ${page.errors.join('\n')}`, { cause: error });
  });
  await Promise.race([
    visit.received(page, 'turn.ended'),
    page.getByRole('alert').waitFor().then(async () => {
      throw new Error(`${await page.getByRole('alert').innerText()}\n${page.errors.join('\n')}`);
    }),
  ]);
  await page.waitForFunction(() => document.querySelector('output').textContent === 'listening');
  const lines = await page.getByRole('log').getByRole('listitem').allInnerTexts();
  const sound = await visit.heard(page);
  await click('Hang up');
  await page.getByRole('button', { name: 'Talk' }).waitFor();
  await page.waitForFunction(() => document.querySelector('output').textContent === 'closed');
  return { lines, sound, errors: page.errors };
}
