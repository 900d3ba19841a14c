/** A person at the page: opens it with the witness, presses what people press, reads what people read. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const file = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The recorder's `tap` for a page that lacks its file, and has no policy against such a URL. */
export const inlineTap = () => `data:text/javascript;base64,${readFileSync(file('witness-tap.js'), 'base64')}`;

export async function open(browser, url, { options = {}, witness = true, listens = false, tap = '/witness-tap.js' } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (line) => {
    if (line.type() === 'error') errors.push(`${line.text()} ${line.location().url}`);
  });
  if (witness) {
    await page.addInitScript({ content: `Object.assign(window, ${JSON.stringify({ __listens: listens, __tap: tap })});` });
    await page.addInitScript({ path: file('witness.js') });
  }
  await page.goto(url);
  return Object.assign(page, { errors });
}

export const start = (page) => page.getByRole('button', { name: 'Start talking' }).click();
export const hangUp = (page) => page.getByRole('button', { name: 'End call' }).click();
export const stateWord = (page) => page.locator('.words-state').innerText();
export const becomes = (page, word, timeout = 20_000) =>
  page.locator('.words-state', { hasText: new RegExp(`^${word}$`) }).waitFor({ timeout });

/** Waits until the server has sent that many messages of a type. */
export const received = (page, type, count = 1, timeout = 25_000) =>
  page.waitForFunction(
    ([type, count]) => window.__witness.messages.filter((message) => message.type === type).length >= count,
    [type, count],
    { timeout, polling: 20 },
  );

/** The conversation as it stands on the page. */
export const transcript = (page) =>
  page.locator('.rows > .said').evaluateAll((rows) =>
    rows.map((row) => ({
      role: row.dataset.role,
      who: row.querySelector('.said-name')?.textContent ?? '',
      heard: row.querySelector('.heard')?.textContent ?? '',
      unheard: row.querySelector('.unheard')?.textContent ?? '',
      isCut: row.dataset.cut === 'true',
    })),
  );

/** How often the player ran dry, as the page says. */
export const underruns = async (page) => Number(await page.locator('.facts > div', { hasText: 'gaps in sound' }).locator('dd').innerText());

/** What came out of the loudspeaker: s16le at the context's rate, base64, each sample at its place from time 0. */
export const heard = (page) =>
  page.evaluate(() => {
    const { blocks, contexts } = window.__witness;
    const last = blocks.at(-1);
    const pcm = new Int16Array(last ? last.from + last.samples.length : 0);
    for (const { from, samples } of blocks) {
      for (let i = 0; i < samples.length; i += 1) pcm[from + i] = Math.max(-32768, Math.min(32767, samples[i] * 32768));
    }
    return { rate: contexts[0]?.sampleRate ?? 0, pcm: window.__base64(new Uint8Array(pcm.buffer)) };
  });

/** The agent's audio of a turn as it arrived, each frame once: s16le at 24 kHz, base64; and the numbers left out. */
export const arrived = (page, turn) =>
  page.evaluate((turn) => {
    const frames = new Map(window.__witness.frames.filter((frame) => frame.turn === turn).map((frame) => [frame.seq, frame.pcm]));
    const order = [...frames.keys()].sort((a, b) => a - b);
    const pcm = new Int16Array(order.reduce((sum, seq) => sum + frames.get(seq).length, 0));
    let at = 0;
    for (const seq of order) {
      pcm.set(frames.get(seq), at);
      at += frames.get(seq).length;
    }
    return { pcm: window.__base64(new Uint8Array(pcm.buffer)), missing: order.at(-1) - order[0] + 1 - order.length };
  }, turn);

/** Messages both ways and what the policy blocked. */
export const wire = (page) =>
  page.evaluate(() => {
    const { messages, sent, violations } = window.__witness;
    return { messages, sent: sent.filter((each) => each.type !== 'audio'), frames: sent.filter((each) => each.type === 'audio').length, violations };
  });
