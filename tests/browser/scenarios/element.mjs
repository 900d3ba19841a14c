/** A page with <vivavoce-call>: one click, a spoken question, its answer talked over, and the answer to that. */
import { brokenEverywhere, overhang } from '../rules.mjs';
import * as visit from '../visit.mjs';

export default async function element(browser, { url, tap = visit.inlineTap() }) {
  const page = await visit.open(browser, url, { listens: true, tap });
  const call = page.locator('vivavoce-call');
  await call.evaluate((element) => {
    window.told = [];
    for (const type of ['call', 'message', 'error'])
      element.addEventListener(type, ({ detail }) => window.told.push([type, detail.status ?? detail.role ?? detail.code]));
  });
  const fetched = () => page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name.split('/').pop()));
  const atFirst = await fetched();
  const idle = await brokenEverywhere(page, 'idle');
  await call.getByRole('button', { name: 'Start talking' }).click();
  await visit.received(page, 'turn.interrupted', 1, 40_000);
  await page.waitForFunction(
    () => {
      const { shadowRoot } = document.querySelector('vivavoce-call');
      return shadowRoot.querySelectorAll('.said').length === 4 && shadowRoot.querySelector('.state').textContent === 'Listening';
    },
    undefined,
    { timeout: 20_000 },
  );
  const rows = await call.locator('.said').evaluateAll((lines) =>
    lines.map((line) => ({
      who: line.querySelector('.who').textContent,
      heard: line.querySelector('.heard').textContent,
      unheard: line.querySelector('.unheard').textContent,
      isCut: line.dataset.cut === 'true',
    })),
  );
  const sound = await visit.heard(page);
  const { violations } = await visit.wire(page);
  const inCall = await brokenEverywhere(page, 'in a call');
  const overhangs = await overhang(page);
  await call.getByRole('button', { name: 'End call' }).click();
  await call.locator('.state', { hasText: 'Call ended' }).waitFor();
  const ended = await brokenEverywhere(page, 'ended');
  const told = await page.evaluate(() => window.told);
  return { atFirst, rules: [idle, inCall, ended], overhangs, rows, sound, told, violations, errors: page.errors };
}
