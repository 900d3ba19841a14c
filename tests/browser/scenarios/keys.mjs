/** A call by keyboard alone: from the first tab to the end, with the space bar as the key to talk. */
import * as visit from '../visit.mjs';

export default async function keys(browser, { url }) {
  const page = await visit.open(browser, url);
  await page.getByRole('button', { name: 'Start talking' }).waitFor();
  const stops = [];
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent.trim() ?? '');
  for (let i = 0; i < 12; i += 1) {
    await page.keyboard.press('Tab');
    stops.push(await focused());
    if (stops.at(-1) === 'Start talking') break;
  }
  await page.keyboard.press('Tab'); // the way to talk: radio buttons, moved by arrows
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  await visit.becomes(page, 'Listening');
  const focusInCall = await focused();
  await page.evaluate(() => document.activeElement?.blur());
  const before = await page.evaluate(() => window.__witness.sent.length);
  await page.waitForTimeout(300);
  const idle = await page.evaluate((from) => window.__witness.sent.slice(from).filter((each) => each.type === 'audio').length, before);
  await page.keyboard.down('Space');
  await page.locator('.key-talk[data-talking="true"]').waitFor();
  await page.waitForTimeout(500);
  const during = await page.evaluate(() => window.__witness.sent.filter((each) => each.type === 'audio').length);
  await page.keyboard.up('Space');
  await page.locator('.key-talk[data-talking="false"]').waitFor();
  const mic = (await visit.wire(page)).sent.filter((each) => each.type === 'mic').map((each) => each.state);
  await page.getByRole('button', { name: 'End call' }).focus();
  await page.keyboard.press('Enter');
  await visit.becomes(page, 'Call ended');
  await page.keyboard.press('Enter'); // the focus is on "Start talking" again: a second call, counted from its own start
  await visit.becomes(page, 'Listening');
  const again = await page.evaluate(() => document.querySelector('.healing')?.textContent ?? '');
  const events = await page.locator('.facts > div', { hasText: 'events' }).locator('dd').innerText();
  await visit.hangUp(page);
  return { again, events, stops, focusInCall, idle, during, mic, errors: page.errors };
}
