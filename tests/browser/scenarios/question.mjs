/** One click, a spoken question, and the answer out of the loudspeaker. */
import { broken } from '../rules.mjs';
import * as visit from '../visit.mjs';

export default async function question(browser, { url }) {
  const page = await visit.open(browser, url, { listens: true });
  await visit.start(page);
  await visit.becomes(page, 'Listening');
  await visit.received(page, 'turn.audio_end');
  await visit.becomes(page, 'Speaking');
  const { found } = await broken(page);
  await visit.becomes(page, 'Listening');
  await page.locator('.figure[data-empty="false"]').waitFor(); // the answer's figures come when it was written down
  const instruments = {
    latency: await page.locator('.figure').innerText(),
    parts: await page.locator('.legend dt').allInnerTexts(),
    facts: Object.fromEntries(await page.locator('.facts > div').evaluateAll((all) => all.map((each) => [...each.children].map((child) => child.textContent)))),
    log: await page.locator('.line-type').allInnerTexts(),
  };
  const seen = {
    rows: await visit.transcript(page),
    instruments,
    axe: found.map((each) => each.rule),
    sound: await visit.heard(page),
    underruns: await visit.underruns(page),
    arrived: await visit.arrived(page, 1),
    ...(await visit.wire(page)),
  };
  await visit.hangUp(page);
  await visit.becomes(page, 'Call ended');
  return { ...seen, errors: page.errors };
}
