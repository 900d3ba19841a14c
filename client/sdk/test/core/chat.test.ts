import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { cases, onlyKnown } from '../protocol/vectors.js';
import { pass, rig } from './rig.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

interface Shown {
  readonly message: string;
  readonly turn: number;
  readonly role: string;
  readonly text: string;
  readonly interrupted: boolean;
  readonly heard: string | null;
  readonly outcome: string;
}

describe('what is shown is what the record has', () => {
  test.each(cases('chat').map((entry) => [entry.name, entry] as const))('%s', async (_, entry) => {
    onlyKnown(entry, ['name', 'events', 'messages']);
    const all = rig();
    void all.client.connect();
    await pass();
    for (const event of entry.events as object[]) {
      all.server.say({ ...event, e: undefined, n: undefined } as never);
      await pass();
    }
    const { messages } = all.client.getSnapshot();
    const shown = messages.map((message): Shown => {
      if (message.kind !== 'text') throw new Error('a tool');
      const { id, turn, role, text, interrupted = false, heard = null, outcome = '' } = message;
      return { message: id, turn, role, text, interrupted, heard, outcome };
    });
    expect(shown.filter(({ text }) => text !== '')).toEqual(entry.messages);
  });
});
