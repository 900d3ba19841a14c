/** Opens the page, waits until its control road is open, and only then clicks. */
import * as visit from '../visit.mjs';

/** Keeps every socket of the page, when it opened and what it said first, and what was asked of the machine. */
function watch() {
  const seen = { sockets: [], asked: 0, contexts: 0, clickedAt: 0 };
  window.__seen = seen;
  window.WebSocket = class extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols);
      const road = String(protocols).includes('vivavoce.ticket.') ? 'media' : 'control';
      const socket = { road, openedAt: 0, saidAt: 0 };
      seen.sockets.push(socket);
      this.addEventListener('open', () => (socket.openedAt = performance.now()));
      this.addEventListener('close', () => (socket.closedAt = performance.now()));
      this.__said = () => (socket.saidAt ||= performance.now());
    }
    send(data) {
      this.__said();
      super.send(data);
    }
  };
  const { mediaDevices } = navigator;
  const ask = mediaDevices.getUserMedia.bind(mediaDevices);
  mediaDevices.getUserMedia = (wishes) => ((seen.asked += 1), ask(wishes));
  window.AudioContext = class extends AudioContext {
    constructor(options) {
      super(options);
      seen.contexts += 1;
    }
  };
  document.addEventListener('click', () => (seen.clickedAt ||= performance.now()), { capture: true });
}

const look = (page) => page.evaluate(() => structuredClone(window.__seen));

export default async function prepared(browser, { url }) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  await context.addInitScript(watch);
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction(() => window.__seen.sockets.some(({ openedAt }) => openedAt), null, { timeout: 15_000 });
  const word = await visit.stateWord(page);
  const before = await look(page);
  await page.getByRole('button', { name: 'Start talking' }).hover();
  await visit.start(page);
  await visit.becomes(page, 'Listening');
  const after = await look(page);
  await visit.hangUp(page);
  await visit.becomes(page, 'Call ended');
  return { word, before, after };
}
