/** A call goes on in a tab that is really hidden. What is counted is the microphone frames that leave the page. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openRaw } from '../cdp.mjs';

export const raw = true;

const HIDDEN_MS = 4000;
const WITNESS = readFileSync(fileURLToPath(new URL('../witness.js', import.meta.url)), 'utf8');

export default async function hidden(_, { url, launch }) {
  const { send, close } = await openRaw(launch);
  try {
    return await watch(send, url);
  } finally {
    await close();
  }
}

async function watch(send, url) {
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
  await send('Page.enable', {}, sessionId);
  await send('Page.addScriptToEvaluateOnNewDocument', { source: WITNESS }, sessionId);
  await send('Page.navigate', { url }, sessionId);
  const ask = async (expression) => {
    const wish = { expression, userGesture: true, awaitPromise: true, returnByValue: true };
    return (await send('Runtime.evaluate', wish, sessionId)).result.value;
  };
  const until = async (expression) => {
    for (let tries = 0; tries < 300; tries += 1) {
      if (await ask(expression)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`never: ${expression}`);
  };
  await until(`!!document.querySelector('.key-main')`);
  await ask(`document.querySelector('.key-main').click()`);
  await until(`document.querySelector('.words-state')?.textContent === 'Listening'`);
  const other = await send('Target.createTarget', { url: 'about:blank' });
  await send('Target.activateTarget', other);
  await until(`document.visibilityState === 'hidden'`);
  const from = await ask('performance.now()');
  await new Promise((resolve) => setTimeout(resolve, HIDDEN_MS));
  return ask(`(() => {
    const now = performance.now();
    const frames = window.__witness.sent.filter((each) => each.type === 'audio' && each.ms > ${from});
    const gaps = frames.slice(1).map(({ ms }, i) => ms - frames[i].ms).sort((a, b) => a - b);
    return {
      visibility: document.visibilityState,
      ms: now - ${from},
      frames: frames.length,
      p95: gaps[Math.floor(gaps.length * 0.95)],
      state: document.querySelector('.connection').textContent,
    };
  })()`);
}
