import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { AudioEvents } from '../../src/audio/engine.js';
import { BrowserEngine } from '../../src/audio/browser.js';
import { Machine } from './machine.js';

const PATIENCE = { timeout: 30_000 }; // ms, for a module to be fetched on a busy machine
const NO_EVENTS = new Proxy({}, { get: () => () => {} }) as AudioEvents;

let made = 0;

class Analyser {
  constructor() {
    made += 1;
  }

  getByteFrequencyData(into: Uint8Array): void {
    into.fill(7);
  }
}

beforeEach(() => {
  made = 0;
  new Machine().install();
  vi.stubGlobal('AnalyserNode', Analyser);
});
afterEach(() => {
  vi.unstubAllGlobals();
});

test('a spectrum is zeros until the code that reads it has come, then what passes, by one analyser a node', async () => {
  const engine = new BrowserEngine({});
  const look = (into = new Uint8Array(32).fill(1)) => (engine.levels.outputSpectrum(into), [...new Set(into)]);
  engine.prepare(NO_EVENTS);
  expect(look()).toEqual([0]);
  await vi.waitFor(() => expect(look()).toEqual([7]), PATIENCE);
  look();
  expect(made).toBe(1);
  await engine.close();
});

test('a spectrum of a microphone that is not open is zeros', async () => {
  const engine = new BrowserEngine({});
  const look = (into = new Uint8Array(32).fill(1)) => (engine.levels.inputSpectrum(into), [...new Set(into)]);
  expect(look()).toEqual([0]);
  await import('../../src/ondemand/index.js');
  expect(look()).toEqual([0]);
  expect(made).toBe(0);
});
