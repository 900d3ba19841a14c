/** In the middle of one answer the audio line is cut, then the control line, then both; `cuts` says which. */
import * as visit from '../visit.mjs';

const LATEST_MS = 1500; //: between a cut and the next one, the line must be back

export default async function cuts(browser, { url, cuts: wanted }) {
  const page = await visit.open(browser, url, { listens: true });
  await visit.start(page);
  await visit.received(page, 'turn.started', 2);
  await visit.becomes(page, 'Speaking');
  const healed = [];
  for (const name of wanted) {
    const lives = await page.evaluate(() => window.__witness.messages.filter((each) => each.type === 'live').length);
    await page.getByRole('group', { name: 'Cut' }).getByRole('button', { name, exact: true }).click();
    if (name !== 'Control line') await visit.received(page, 'live', lives + 1, LATEST_MS * 4);
    await page.locator('.connection[data-status="connected"]').waitFor();
    await page.waitForTimeout(300);
    healed.push(await page.locator('.healing').innerText());
  }
  await visit.received(page, 'metrics');
  await visit.becomes(page, 'Listening');
  const seen = {
    healed,
    rows: await visit.transcript(page),
    notes: await page.locator('.note').allInnerTexts(),
    arrived: await visit.arrived(page, 1),
    ...(await visit.wire(page)),
  };
  await visit.hangUp(page);
  return { ...seen, errors: page.errors };
}
