import { describe, expect, test } from 'vitest';
import { capture, decibels, Player, tone } from './scope.js';

const QUANTUM_MS = (128 / 48_000) * 1000;
const loudest = (samples: number[]) => Math.max(0, ...samples.map(Math.abs));
const lastLoud = (samples: number[]) => samples.findLastIndex((sample) => Math.abs(sample) > 1e-4);

describe('capture', () => {
  test.each([
    [48_000, 20, 640],
    [44_100, 20, 640],
    [48_000, 100, 3200],
  ])('%i Hz in frames of %i ms gives %i bytes, at the right rate', async (rateHz, frameMs, bytes) => {
    const frames = await capture(tone(1000, rateHz, 2), rateHz, frameMs);
    expect(new Set(frames.map(({ pcm }) => pcm.byteLength))).toEqual(new Set([bytes]));
    expect(frames.length).toBeGreaterThanOrEqual(Math.floor(2000 / frameMs) - 1);
    const samples = frames.flatMap(({ pcm }) => [...new Int16Array(pcm)]).map((sample) => sample / 32768);
    expect(decibels(samples.slice(1000, 17_000), 16_000, 1000)).toBeCloseTo(-6, 0);
  });

  test('tells the level of each frame, and clips instead of wrapping', async () => {
    const frames = await capture(tone(1000, 48_000, 1, 2), 48_000);
    expect(frames.at(-1)?.level).toBeGreaterThan(0.7);
    const peak = Math.max(...frames.flatMap(({ pcm }) => [...new Int16Array(pcm)]));
    expect(peak).toBe(32767);
  });

  test('silence has level zero', async () => {
    const frames = await capture(new Float32Array(9600), 48_000);
    expect(frames.every(({ level }) => level === 0)).toBe(true);
  });
});

describe('the jitter buffer', () => {
  test('waits until there is enough', async () => {
    const player = await Player.make();
    player.speak(1, 40);
    expect(loudest(player.pass(200))).toBe(0);
    player.speak(1, 40);
    expect(loudest(player.pass(50))).toBeGreaterThan(0.1);
    expect(player.said('started')).toMatchObject([{ turn: 1, playedMs: 0 }]);
  });

  test('does not wait for more when the turn is complete', async () => {
    const player = await Player.make();
    player.speak(1, 40);
    player.send({ type: 'finish', turn: 1 });
    player.pass(100);
    expect(player.said('drained')).toMatchObject([{ turn: 1, playedMs: 40, bufferedMs: 0 }]);
  });

  test('grows when audio comes late, up to its limit, and shrinks again', async () => {
    const player = await Player.make(48_000, { maxPrebufferMs: 150 });
    for (let hole = 0; hole < 3; hole += 1) {
      player.speak(1, 160);
      player.pass(300);
    }
    expect(player.said('underrun').map(({ prebufferMs }) => prebufferMs)).toEqual([120, 150, 150]);
    player.send({ type: 'finish', turn: 1 });
    for (let turn = 2; turn < 12; turn += 1) {
      player.speak(turn, 160);
      player.send({ type: 'finish', turn });
      player.pass(250);
    }
    player.speak(20, 80);
    player.pass(20);
    expect(player.said('started').at(-1)?.turn).toBe(20);
  });

  test('plays turns one after the other, each counted by itself', async () => {
    const player = await Player.make();
    player.speak(1, 200);
    player.speak(2, 200);
    player.send({ type: 'finish', turn: 2 });
    player.pass(500);
    expect(player.posted.filter(({ type }) => type !== 'level')).toMatchObject([
      { type: 'started', turn: 1 },
      { type: 'drained', turn: 1, playedMs: 200 },
      { type: 'started', turn: 2 },
      { type: 'drained', turn: 2, playedMs: 200 },
    ]);
  });

  test('reports progress once a second', async () => {
    const player = await Player.make();
    player.speak(1, 5000);
    player.pass(4500);
    const at = player.said('progress').map(({ playedMs }) => Math.round(playedMs / 100));
    expect(at).toEqual([10, 20, 30, 40]);
  });

  test.each([48_000, 44_100, 24_000, 16_000])('plays all of it at %i Hz', async (rateHz) => {
    const player = await Player.make(rateHz);
    player.speak(1, 1000);
    player.send({ type: 'finish', turn: 1 });
    const output = player.pass(1200);
    expect(player.said('drained')).toMatchObject([{ playedMs: 1000 }]);
    expect((lastLoud(output) / rateHz) * 1000).toBeGreaterThan(995);
    expect((lastLoud(output) / rateHz) * 1000).toBeLessThan(1010);
  });
});

describe('barge-in', () => {
  test('is silent within one quantum and the fade of five milliseconds', async () => {
    const player = await Player.make();
    player.speak(1, 5000);
    player.pass(1500);
    player.send({ type: 'flush', turn: 1 });
    const after = player.pass(200);
    expect(lastLoud(after) / 48).toBeLessThanOrEqual(5 + QUANTUM_MS);
    expect(lastLoud(after) / 48).toBeGreaterThan(3);
  });

  test('fades: no step is larger than the tone itself makes', async () => {
    const player = await Player.make();
    player.speak(1, 1000);
    player.pass(500);
    player.send({ type: 'flush', turn: 1 });
    player.pass(50);
    const steps = player.output.slice(1).map((sample, at) => Math.abs(sample - (player.output[at] as number)));
    expect(Math.max(...steps)).toBeLessThan(0.25 * 2 * Math.PI * (440 / 48_000) + 0.002);
  });

  test('an underrun leaves no edge either', async () => {
    const player = await Player.make();
    player.speak(1, 103); // stops where the tone is loud
    player.pass(300);
    expect(player.said('underrun')).toHaveLength(1);
    const steps = player.output.slice(1).map((sample, at) => Math.abs(sample - (player.output[at] as number)));
    expect(Math.max(...steps)).toBeLessThan(0.25 * 2 * Math.PI * (440 / 48_000) + 0.002);
    expect(loudest(player.output.slice(-48 * 100))).toBe(0);
  });

  test.each([137, 480, 1500, 2049])('knows after %i ms what was heard, to 20 ms', async (ms) => {
    const player = await Player.make();
    player.speak(3, 5000);
    player.pass(ms);
    player.send({ type: 'flush', turn: 3 });
    player.pass(50);
    const [flushed] = player.said('flushed');
    const heardMs = (lastLoud(player.output) / 48_000) * 1000;
    expect(Math.abs((flushed?.playedMs ?? 0) - heardMs)).toBeLessThan(20);
    expect((flushed?.playedMs ?? 0) + (flushed?.droppedMs ?? 0)).toBeCloseTo(5000, 5);
  });

  test('counts no silence: a hole in the audio is not heard', async () => {
    const player = await Player.make();
    player.speak(1, 400);
    player.pass(1000);
    player.speak(1, 1000);
    player.pass(300);
    player.send({ type: 'flush', turn: 1 });
    expect(player.said('flushed')[0]?.playedMs).toBeGreaterThan(690);
    expect(player.said('flushed')[0]?.playedMs).toBeLessThan(710);
  });

  test('drops what still comes of the turn, and plays the next', async () => {
    const player = await Player.make();
    player.speak(1, 500);
    player.pass(200);
    player.send({ type: 'flush', turn: 1 });
    player.pass(20);
    player.speak(1, 500);
    expect(loudest(player.pass(300))).toBe(0);
    player.speak(2, 200);
    player.send({ type: 'finish', turn: 2 });
    player.pass(300);
    expect(player.said('drained')).toMatchObject([{ turn: 2, playedMs: 200 }]);
  });

  test('keeps a later turn that waits already', async () => {
    const player = await Player.make();
    player.speak(1, 500);
    player.speak(2, 200);
    player.send({ type: 'finish', turn: 2 });
    player.pass(100);
    player.send({ type: 'flush', turn: 1 });
    player.pass(400);
    expect(player.said('drained')).toMatchObject([{ turn: 2, playedMs: 200 }]);
  });

  test('before a sound was made: nothing was heard', async () => {
    const player = await Player.make();
    player.speak(1, 40);
    player.pass(50);
    player.send({ type: 'flush', turn: 1 });
    expect(player.said('flushed')).toEqual([{ type: 'flushed', turn: 1, playedMs: 0, droppedMs: 40 }]);
    player.send({ type: 'flush', turn: 7 });
    expect(player.said('flushed')[1]).toEqual({ type: 'flushed', turn: 7, playedMs: 0, droppedMs: 0 });
  });
});

test('the level is told while there is sound, and once that there is none', async () => {
  const player = await Player.make();
  player.speak(1, 1000);
  player.send({ type: 'finish', turn: 1 });
  player.pass(3000);
  const levels = player.said('level').map(({ level }) => level);
  expect(levels.length).toBeGreaterThan(18);
  expect(levels.length).toBeLessThan(24);
  expect(levels.at(-1)).toBe(0);
});
