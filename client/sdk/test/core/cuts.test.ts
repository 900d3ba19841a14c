// Typed text through a thousand cuts at random moments: none lost, none twice. CUTS_SEED chooses others.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { KEPT_MESSAGES } from '../../src/protocol/tables.js';
import { pass, rig } from './rig.js';

const SEED = Number(process.env.CUTS_SEED ?? Math.floor(Math.random() * 2 ** 31));
const CUTS = 1000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Numbers from 0 to 1 that a seed repeats (mulberry32). */
function chanceOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test('what was typed is answered once, in order, after a thousand cuts', { timeout: 60_000 }, async () => {
  const chance = chanceOf(SEED);
  vi.spyOn(Math, 'random').mockImplementation(chanceOf(SEED + 1)); // the client's own waits
  const { client, server } = rig({ audio: false });
  void client.connect();
  await pass();
  const typed: string[] = [];
  const record: unknown[] = []; // what is answered
  const type = async () => {
    // Beyond what is kept the oldest goes, and a long row of cuts would come to that.
    const room = KEPT_MESSAGES - (typed.length - record.length);
    for (let count = Math.min(room, Math.floor(chance() * 3)); count > 0; count -= 1) {
      typed.push(`q${typed.length}`);
      await client.sendText(typed.at(-1) as string);
    }
    await pass(chance() * 100);
  };
  const answer = () => {
    record.push(...server.heard.filter((message) => message.type === 'text').map((message) => message.text));
    server.heard.length = 0;
    server.ack();
  };

  for (let cut = 0; cut < CUTS; cut += 1) {
    await type();
    if (chance() < 0.4) answer();
    const [media] = server.transport.openOn('media');
    if (media && chance() < 0.6) media.onSend = () => {}; // what is sent from now on is lost on its way
    await type();
    server.cutMedia();
    if (chance() < 0.3) {
      server.moveRelay();
      server.heard.length = 0; // it dies with what it has heard
    }
    await type();
    await pass(chance() * 600);
  }
  await pass(10_000);
  answer();
  expect(typed.length).toBeGreaterThan(CUTS);
  expect(record, `CUTS_SEED=${SEED}`).toEqual(typed);
});
