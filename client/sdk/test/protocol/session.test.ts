import { describe, expect, test } from 'vitest';
import { ClientSession, type Incoming, type Numbered, type Said } from '../../src/protocol/session.js';
import { bytes, cases, expand, hex, onlyKnown, textOf } from './vectors.js';

type Step = Readonly<Record<string, unknown>>;

const FIELDS: Record<string, readonly string[]> = {
  connect: ['sends'],
  text: ['text', 'gives'],
  audio: ['hex', 'gives'],
  speak: ['pcm', 'at', 'times', 'sends'],
  say: ['message', 'sends'],
  interrupt: ['turn'],
  lost: [],
  resend: ['at', 'sends'],
};
const COMMON = ['do', 'state', 'after', 'last_turn', 'counters'];
const ms = (at: unknown) => (at as number) * 1000;
const listed = (item: Incoming | null): Incoming[] => (item ? [item] : []);

function play(session: ClientSession, step: Step): void {
  const fields = FIELDS[step.do as string];
  if (!fields) throw new Error(`the runner does not know ${step.do}`);
  onlyKnown(step, [...COMMON, ...fields]);
  const moves: Record<string, () => void> = {
    connect: () => expect(session.hello()).toMatchObject(step.sends as object),
    text: () => expect(listed(session.receive(textOf(step.text)))).toMatchObject(step.gives as object),
    audio: () => {
      const frames = listed(session.receive(bytes(step.hex))).map((item) =>
        item.type === 'audio' ? { turn: item.turn, seq: item.seq, pcm: hex(item.pcm) } : item,
      );
      const gives = (step.gives as Step[]).map((frame) => ({ ...frame, pcm: expand(frame.pcm) }));
      expect(frames).toEqual(gives);
    },
    speak: () => {
      const times = (step.times as number | undefined) ?? 1;
      const frames = Array.from({ length: times }, () => session.audio(bytes(step.pcm), ms(step.at)));
      expect(hex((frames.at(-1) as Numbered).data)).toBe(expand(step.sends));
    },
    say: () => expect(session.say(step.message as Said)).toMatchObject(step.sends as object),
    interrupt: () => session.interrupt(step.turn as number),
    lost: () => session.lost(),
    resend: () => {
      const again = session.resend().map((kept) => ('seq' in kept ? hex(kept.data) : kept));
      const isMessage = (sent: unknown) => typeof sent === 'object' && sent !== null && 'type' in sent;
      expect(again).toMatchObject((step.sends as unknown[]).map((sent) => (isMessage(sent) ? sent : expand(sent))));
    },
  };
  moves[step.do as string]?.();
}

function holds(session: ClientSession, step: Step): void {
  if (step.state) expect(session.state).toBe(step.state);
  if (step.after) expect(session.after).toEqual(step.after);
  if (step.last_turn !== undefined) expect(session.lastTurn).toBe(step.last_turn);
  if (step.counters) expect(session.counters).toMatchObject(step.counters);
}

describe('client_session', () => {
  test.each(cases('client_session').map((entry) => [entry.name, entry] as const))('%s', (_, entry) => {
    onlyKnown(entry, ['name', 'steps']);
    const session = new ClientSession();
    for (const step of entry.steps as Step[]) {
      play(session, step);
      holds(session, step);
    }
  });
});
