/** What a page says, without being talked to. */
import * as visit from '../visit.mjs';

export default async function text(browser, { url }) {
  const page = await visit.open(browser, url, { witness: false });
  return { text: await page.locator('body').innerText(), errors: page.errors };
}
