/** Breaks a part of the server in a call, by the key of that name, and goes on talking. */
import * as visit from '../visit.mjs';

export default async function breaks(browser, { url, key, state }) {
  const page = await visit.open(browser, url);
  await visit.start(page);
  await visit.received(page, 'turn.audio_end'); // the first answer is whole
  await visit.becomes(page, 'Listening');
  await page.getByRole('group', { name: 'Cut' }).getByRole('button', { name: key, exact: true }).click();
  await page.locator(`.healing[data-state="${state}"]`).waitFor({ timeout: 20_000 });
  await visit.becomes(page, 'Listening');
  await page.getByRole('textbox').fill('And the one after that?');
  await page.keyboard.press('Enter');
  await visit.received(page, 'turn.audio_end', 2);
  await visit.becomes(page, 'Listening');
  const seen = { healed: await page.locator('.healing').innerText(), rows: await visit.transcript(page), ...(await visit.wire(page)) };
  await visit.hangUp(page);
  return { ...seen, errors: page.errors };
}
