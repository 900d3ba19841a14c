/** Starts a call that cannot succeed at each of `urls`, and reads what the page tells the visitor, and how soon. */
import * as visit from '../visit.mjs';

export default async function trouble(browser, { urls }) {
  const told = {};
  for (const [name, url] of Object.entries(urls)) {
    const page = await visit.open(browser, url);
    const alert = page.getByRole('alert');
    const clickedAt = performance.now();
    await visit.start(page);
    await alert.waitFor({ timeout: 15_000 });
    told[name] = {
      after_ms: performance.now() - clickedAt,
      code: await alert.locator('code').innerText(),
      title: await alert.locator('.trouble-title').innerText(),
      advice: await alert.locator('p').nth(1).innerText(),
      state: await visit.stateWord(page),
      canStart: await page.getByRole('button', { name: 'Start talking' }).isEnabled(),
    };
    await page.context().close();
  }
  return told;
}
