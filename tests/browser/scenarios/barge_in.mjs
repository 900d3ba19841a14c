/** The visitor speaks over the answer; everything is timed on the audio clock of what was heard. */
import * as visit from '../visit.mjs';

export default async function bargeIn(browser, { url }) {
  const page = await visit.open(browser, url, { listens: true });
  await visit.start(page);
  await visit.received(page, 'turn.interrupted');
  await page.locator('.said[data-cut="true"] .unheard').waitFor({ timeout: 5000 });
  await page.waitForTimeout(300); // the next answer is not before the visitor has finished
  const { messages, sent, violations } = await visit.wire(page);
  const { turn } = messages.find((each) => each.type === 'turn.interrupted');
  const seen = {
    interrupted: messages.find((each) => each.type === 'turn.interrupted'),
    flushed: sent.find((each) => each.type === 'playback' && each.state === 'flushed'),
    arrived: await visit.arrived(page, turn),
    sound: await visit.heard(page),
    underruns: await visit.underruns(page),
    rows: await visit.transcript(page),
    violations,
  };
  await visit.hangUp(page);
  return { ...seen, errors: page.errors };
}
