import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PlaybackReport } from '../../src/audio/engine.js';
import { BrowserPlayer } from '../../src/audio/player.js';
import type { FromPlayback } from '../../src/worklets/messages.js';
import { FakeWorkletNode, LockedContext } from './context.js';

beforeEach(() => {
  vi.stubGlobal('AudioWorkletNode', FakeWorkletNode);
});
afterEach(() => {
  vi.unstubAllGlobals();
});

describe('the player asks the context nothing that waits for the audio thread', () => {
  const at = { turn: 1, playedMs: 1000, bufferedMs: 400 };
  const reports: FromPlayback[] = [
    { type: 'started', ...at },
    { type: 'progress', ...at },
    { type: 'drained', ...at },
  ];

  test.each(reports)('when its worklet says $type', (message) => {
    const { told, worklet } = player();
    worklet.says(message);
    expect(told.map(({ state, turn }) => [state, turn])).toEqual([[message.type, 1]]);
  });

  test('and what has left the graph counts as heard, less what the graph holds', () => {
    const { told, worklet } = player();
    worklet.says({ type: 'progress', ...at });
    worklet.says({ type: 'drained', ...at });
    expect(told.map(({ playedMs }) => playedMs)).toEqual([990, 1000]);
  });

  test('nor when it is built, played, flushed and stopped', async () => {
    const { built, worklet } = player();
    built.play(1, new ArrayBuffer(960));
    const flushed = built.flush(1);
    worklet.says({ type: 'flushed', turn: 1, playedMs: 12, droppedMs: 8 });
    expect(await flushed).toEqual({ turn: 1, playedMs: 12, droppedMs: 8 });
    built.stop();
  });
});

function player() {
  const told: PlaybackReport[] = [];
  const events = { playback: (report: PlaybackReport) => void told.push(report) };
  const built = new BrowserPlayer(() => events as never);
  built.attach(new LockedContext() as never);
  built.start({});
  const worklet = FakeWorkletNode.made.at(-1) as FakeWorkletNode;
  return { told, built, worklet };
}
