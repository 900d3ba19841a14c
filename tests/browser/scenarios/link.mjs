/** Opens a deployed page by each link of `links`, starts a call, and reads where that leads. */
import * as visit from '../visit.mjs';

export default async function link(browser, { links }) {
  const seen = {};
  for (const [name, url] of Object.entries(links)) {
    const page = await visit.open(browser, url);
    const alert = page.getByRole('alert');
    const listening = page.locator('.words-state', { hasText: /^Listening$/ });
    if (!(await alert.isVisible())) await visit.start(page);
    await alert.or(listening).first().waitFor({ timeout: 20_000 });
    const isCalling = await listening.isVisible();
    seen[name] = {
      code: isCalling ? '' : await alert.locator('code').innerText(),
      advice: isCalling ? '' : await alert.locator('p').nth(1).innerText(),
      address: page.url(),
      ...(await visit.wire(page)),
      errors: page.errors,
    };
    if (isCalling) await visit.hangUp(page);
    await page.context().close();
  }
  return seen;
}
