// A line that is narrower than speech: how late it is heard stays bounded, and the app is told.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { FakeSocket } from '../../src/testing/index.js';
import { pass, rig } from './rig.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const ENVELOPE_BYTES = 46; //: of WebSocket, TCP and IP around a message

/** A way up of `kbps`: what is sent waits for its turn, in a queue that the client cannot see. */
class NarrowLine {
  kbps = Infinity;
  /** What arrived, and how long after it was spoken, in ms. `kind`: 1 is PCM, 2 is ADPCM. */
  readonly arrivals: { what: string; at: number; lateMs: number; kind?: number | undefined }[] = [];
  /** When each frame of the microphone was spoken, by its number. */
  readonly spokenAt: number[] = [];
  #freeAt = 0;

  carry(socket: FakeSocket): void {
    const serve = socket.onSend;
    socket.onSend = (item) => {
      const sentAt = performance.now();
      const bytes = (item instanceof Uint8Array ? item.length : JSON.stringify(item).length) + ENVELOPE_BYTES;
      this.#freeAt = Math.max(this.#freeAt, sentAt) + (bytes * 8) / this.kbps;
      setTimeout(() => {
        this.#arrived(item);
        serve?.(item);
      }, this.#freeAt - sentAt);
    };
  }

  /** Nothing passes for so long. */
  stop(ms: number): void {
    this.#freeAt = performance.now() + ms;
  }

  /** The latest of the frames that arrived in the last so many ms. */
  latest(withinMs: number): number {
    const since = performance.now() - withinMs;
    return Math.max(...this.arrivals.filter(({ at }) => at > since).map(({ lateMs }) => lateMs));
  }

  /** The kinds of the frames that arrived in the last so many ms. */
  kinds(withinMs: number): Set<number | undefined> {
    const since = performance.now() - withinMs;
    return new Set(this.arrivals.filter(({ what, at }) => what === 'frame' && at > since).map(({ kind }) => kind));
  }

  #arrived(item: Readonly<Record<string, unknown>> | Uint8Array<ArrayBuffer>): void {
    const at = performance.now();
    if (!(item instanceof Uint8Array)) return void this.arrivals.push({ what: `${item.type}`, at, lateMs: 0 });
    const spokenAt = this.spokenAt[new DataView(item.buffer).getUint32(4)] ?? 0;
    this.arrivals.push({ what: 'frame', at, lateMs: at - spokenAt, kind: item[0] });
  }
}

async function live(options = {}, lacking = '') {
  const all = rig(options);
  all.server.capabilities = all.server.capabilities.filter((each) => each !== lacking);
  const line = new NarrowLine();
  const qualities: string[] = [];
  all.client.on('quality', ({ quality, uplinkDelayMs }) => qualities.push(`${quality} ${uplinkDelayMs > 0}`));
  void all.client.connect();
  await pass();
  for (const socket of all.server.transport.openOn('media')) line.carry(socket);
  const speak = async (seconds: number) => {
    for (let frame = 0; frame < seconds * 50; frame += 1) {
      line.spokenAt.push(performance.now());
      all.engine.microphone.speak(20);
      await pass(20);
      if (frame % 25 === 0) all.server.ack();
    }
  };
  return { ...all, line, qualities, speak };
}

test.each([
  [200, 2],
  [128, 2.5],
  [64, 4.25],
])('in PCM, at %d kbit/s for two minutes no frame is %d s late', async (kbps, limitS) => {
  const all = await live({}, 'adpcm');
  await all.speak(5);
  all.line.kbps = kbps;
  await all.speak(120);
  const worst = all.line.latest(120_000);
  console.log(`${kbps} kbit/s: at most ${Math.round(worst)} ms late`);
  expect(worst).toBeLessThan(limitS * 1000);
  expect(all.qualities).toEqual(['narrow true']);
  const { status, quality, metrics } = all.client.getSnapshot();
  expect({ status, quality }).toEqual({ status: 'connected', quality: 'narrow' });
  expect(metrics.uplinkDelayMs).toBeGreaterThan(0);
  const lost = metrics.droppedUplinkMs / 120_000;
  const tooMuch = 1 - kbps / 283; // the share of speech, with its envelopes, that cannot get through
  expect(lost).toBeGreaterThan(0.9 * tooMuch);
  expect(lost).toBeLessThan(1.1 * tooMuch);
});

test.each([
  [200, 2000, 1100, 0],
  [128, 2500, 1500, 0],
  [100, 3000, 1750, 200],
])('at %d kbit/s speech gets through as ADPCM', async (kbps, limitMs, tryMs, lostMs) => {
  const all = await live();
  await all.speak(5);
  all.line.kbps = kbps;
  await all.speak(15);
  const [worst, atFirst] = [all.line.latest(15_000), all.client.getSnapshot().metrics.droppedUplinkMs];
  expect(worst).toBeLessThan(limitMs);
  expect(atFirst).toBeLessThan(1500);
  await all.speak(105);
  const late = all.line.arrivals.filter(({ what, at }) => what === 'frame' && at > performance.now() - 105_000);
  const middle = late.map(({ lateMs }) => lateMs).sort((a, b) => a - b)[late.length >> 1] as number;
  const { droppedUplinkMs } = all.client.getSnapshot().metrics;
  console.log(
    `${kbps} kbit/s: ${atFirst} ms dropped and ${Math.round(worst)} ms late at first,`,
    `${Math.round(all.line.latest(105_000))} ms at a try of PCM, ${Math.round(middle)} ms in the middle`,
  );
  expect(all.line.latest(105_000)).toBeLessThan(tryMs);
  expect(middle).toBeLessThan(30);
  expect(droppedUplinkMs - atFirst).toBeLessThanOrEqual(lostMs);
  expect(all.line.kinds(5000)).toEqual(new Set([2]));
  expect(all.qualities).toEqual(['narrow true']);
  expect(all.client.getSnapshot()).toMatchObject({ status: 'connected', quality: 'narrow' });
});

test('a narrow line that is wide again gets PCM again, and is good when that has gone well', async () => {
  const all = await live();
  all.line.kbps = 128;
  await all.speak(10);
  expect(all.line.kinds(2000)).toEqual(new Set([2]));
  all.line.kbps = 1000;
  await all.speak(22);
  expect(all.line.kinds(5000)).toEqual(new Set([1]));
  expect(all.client.getSnapshot().quality).toBe('narrow');
  await all.speak(5);
  expect(all.qualities).toEqual(['narrow true', 'good false']);
  expect(all.line.latest(20_000)).toBeLessThan(50);
});

test('a relay that takes PCM only gets PCM, whatever the one before took', async () => {
  const all = await live();
  all.line.kbps = 128;
  await all.speak(10);
  all.server.capabilities = [];
  all.server.moveRelay();
  all.server.cutMedia();
  await pass(3000);
  const [media] = all.server.transport.openOn('media');
  if (media) all.line.carry(media);
  await all.speak(3);
  expect(all.line.kinds(1000)).toEqual(new Set([1]));
});

test('in PCM, a line that is wide again is good again, and carries everything', async () => {
  const all = await live({}, 'adpcm');
  all.line.kbps = 128;
  await all.speak(30);
  all.line.kbps = 1000;
  await all.speak(20);
  expect(all.qualities).toEqual(['narrow true', 'good false']);
  expect(all.client.getSnapshot()).toMatchObject({ quality: 'good', metrics: { uplinkDelayMs: 0 } });
  const { droppedUplinkMs } = all.client.getSnapshot().metrics;
  await all.speak(20);
  expect(all.client.getSnapshot().metrics.droppedUplinkMs).toBe(droppedUplinkMs);
  expect(all.line.latest(20_000)).toBeLessThan(50);
});

test('a line with room, and a model that takes its time, lose nothing', async () => {
  const all = await live();
  all.line.kbps = 400;
  all.server.ack = () => {};
  await all.speak(30);
  expect(all.qualities).toEqual([]);
  expect(all.client.getSnapshot()).toMatchObject({ quality: 'good', metrics: { droppedUplinkMs: 0 } });
  expect(all.server.uplink).toHaveLength(1500);
});

test('a hiccup of a second and a quarter loses nothing', async () => {
  const all = await live();
  await all.speak(2);
  all.line.stop(1250);
  await all.speak(3);
  expect(all.server.uplink).toHaveLength(250);
  expect(all.qualities).toEqual([]);
  expect(all.client.getSnapshot().metrics.droppedUplinkMs).toBe(0);
});

// All but its last second was given up, and the rest went as ADPCM for twenty seconds.
test.each([1.5, 2, 4, 9])('a line that is silent for %d s and goes on loses nothing', async (seconds) => {
  const all = await live();
  all.line.kbps = 400;
  await all.speak(2);
  for (let times = 0; times < 2; times += 1) {
    all.line.stop(seconds * 1000);
    await all.speak(seconds * 4 + 1); // until what waited has gone
  }
  await all.speak(1);
  expect(all.line.arrivals.filter(({ what }) => what === 'frame')).toHaveLength((5 + 8 * seconds) * 50);
  expect(all.line.kinds(100_000)).toEqual(new Set([1]));
  expect(all.qualities).toEqual([]);
  expect(all.client.getSnapshot().metrics.droppedUplinkMs).toBe(0);
});

test('a line that is narrow after its silence is late no longer than that, and told so', async () => {
  const all = await live();
  await all.speak(5);
  all.line.stop(6000);
  all.line.kbps = 128;
  await all.speak(60);
  expect(all.qualities).toEqual(['narrow true']);
  expect(all.line.kinds(10_000)).toEqual(new Set([2]));
  expect(all.line.latest(70_000)).toBeLessThan(9000);
  expect(all.line.latest(20_000)).toBeLessThan(1000);
});

test('a way back that takes seconds, as under a long answer, loses nothing', async () => {
  const all = await live();
  await all.speak(2);
  const [media] = all.server.transport.openOn('media');
  const receive = media?.receive.bind(media);
  if (media) media.receive = (data) => void setTimeout(() => receive?.(data), 1500);
  await all.speak(20);
  expect(all.server.uplink.length).toBeGreaterThan(1000);
  expect(all.client.getSnapshot()).toMatchObject({ quality: 'good', metrics: { droppedUplinkMs: 0 } });
});

test('what was spoken before a push-to-talk is released arrives before its end', async () => {
  const all = await live({ config: { turns: 'manual' } });
  all.client.talk.start();
  await pass();
  all.line.stop(1500);
  await all.speak(1);
  all.client.talk.stop();
  await pass(3000);
  const order = all.line.arrivals.map(({ what }) => what).filter((what) => what !== 'ping');
  expect(order).toEqual(['activity', ...Array(50).fill('frame'), 'activity']);
});
