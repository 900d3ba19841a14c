import { describe, expect, test, vi } from 'vitest';
import { Resampler } from '../../src/worklets/resampler.js';
import { decibels, tone } from './scope.js';

function resample(samples: Float32Array, from: number, to: number): Float32Array {
  const resampler = new Resampler(from, to);
  const parts: number[] = [];
  for (let at = 0; at < samples.length; at += 128) parts.push(...resampler.process(samples.subarray(at, at + 128)));
  return Float32Array.from(parts);
}

const LEVEL = decibels(tone(1000, 16_000, 1), 16_000, 1000);

describe.each([48_000, 44_100])('%i Hz to 16 kHz', (rateHz) => {
  test.each([9000, 10_000, 12_000])('a tone of %i Hz is at least 80 dB down', (hz) => {
    const output = resample(tone(hz, rateHz, 1), rateHz, 16_000).subarray(1000, 15_000);
    expect(LEVEL - decibels(output, 16_000, 16_000 - hz)).toBeGreaterThan(80);
  });

  test.each([300, 1000, 3000, 6000])('speech at %i Hz passes', (hz) => {
    const output = resample(tone(hz, rateHz, 1), rateHz, 16_000).subarray(1000, 15_000);
    expect(Math.abs(LEVEL - decibels(output, 16_000, hz))).toBeLessThan(0.5);
  });

  test('keeps the rate to the sample', () => {
    const { length } = resample(tone(440, rateHz, 10), rateHz, 16_000);
    expect(Math.abs(length - 160_000)).toBeLessThan(40);
  });

  test('needs at most 2.2 million multiplications for a second of sound', () => {
    const taps = 2 * new Resampler(rateHz, 16_000).tail;
    expect(taps * 16_000).toBeLessThan(2_200_000); // what that costs of a core: bench/resampler.mjs
  });
});

test('24 kHz to 48 kHz keeps the voice and makes no image of it', () => {
  const output = resample(tone(3000, 24_000, 1), 24_000, 48_000).subarray(1000, 47_000);
  expect(Math.abs(LEVEL - decibels(output, 48_000, 3000))).toBeLessThan(0.1);
  expect(LEVEL - decibels(output, 48_000, 21_000)).toBeGreaterThan(80);
});

test('the table of two rates is made once, and not for every turn', () => {
  new Resampler(24_000, 44_056); // 5507 phases
  const cosines = vi.spyOn(Math, 'cos');
  const again = new Resampler(24_000, 44_056);
  expect(again.process(new Float32Array(480))).toHaveLength(841);
  expect(cosines).not.toHaveBeenCalled();
  cosines.mockRestore();
});
