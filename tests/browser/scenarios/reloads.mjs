/** The page is loaded again and again in the middle of a call, as people do. Each time the call must connect. */
import * as visit from '../visit.mjs';

export default async function reloads(browser, { url, times }) {
  const page = await visit.open(browser, url);
  const states = [];
  const sessions = [];
  for (let load = 0; load < times; load += 1) {
    if (load) await page.reload();
    await visit.start(page);
    await page.locator('.connection', { hasText: /^(Connected|Failed)$/ }).waitFor();
    await page.waitForFunction(() => window.__witness.messages.some(({ type }) => type === 'live' || type === 'error'));
    states.push(await page.locator('.connection').innerText());
    sessions.push(await page.evaluate(() => window.__witness.messages.find(({ type }) => type === 'live')?.session));
  }
  await page.goto('about:blank');
  return { states, sessions, errors: page.errors };
}
