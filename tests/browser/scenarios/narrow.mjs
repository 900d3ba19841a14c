/** A long call over a line whose way up is narrow for `narrow_s`, and then wide again for `wide_s`. */
import * as visit from '../visit.mjs';

export default async function narrow(browser, { url, narrow_s: narrowS, wide_s: wideS }) {
  const page = await visit.open(browser, url);
  await visit.start(page);
  await visit.received(page, 'live', 1, 90_000); // its relay starts cold
  await page.waitForTimeout(narrowS * 1000);
  const narrowed = { notes: await page.locator('.note').allInnerTexts(), ...(await visit.wire(page)) };
  await page.waitForTimeout(wideS * 1000);
  const seen = {
    narrowed,
    notes: await page.locator('.note').allInnerTexts(),
    connection: await page.locator('.connection').innerText(),
    ...(await visit.wire(page)),
  };
  await visit.hangUp(page);
  return { ...seen, errors: page.errors };
}
