import { VoiceError, type Json, type Message, type VoiceState, type WireFrame } from 'vivavoce';

/** A moment of a conversation that never took place: for screenshots and for work on the page. */
export interface Scene {
  readonly state: VoiceState;
  /** what came before, as the instruments saw it: ms of the scene's clock, then what happened */
  readonly story: readonly Beat[];
  /** when it is, on the scene's clock */
  readonly now: number;
  readonly input: number;
  readonly output: number;
}

export type Beat =
  | { readonly at: number; readonly wire: 'in' | 'out'; readonly frame: WireFrame }
  | { readonly at: number; readonly break: string }
  | { readonly at: number; readonly heal: number }
  | { readonly at: number; readonly answered: number; readonly firstAudio: number; };

const START = Date.UTC(2026, 0, 5, 9, 30);

const IDLE: VoiceState = {
  status: 'idle',
  agent: 'offline',
  quality: 'good',
  mic: { status: 'off', muted: false, talking: false },
  speaker: { unlocked: true, playing: false, muted: false, volume: 1, interrupted: false },
  messages: [],
  metrics: { uplinkDelayMs: 0, bufferedMs: 0, underruns: 0, uplinkBps: 0, downlinkBps: 0, reconnects: 0, droppedUplinkMs: 0, missingFrames: 0, ignored: 0 },
  capabilities: ['text', 'context', 'image', 'interrupt', 'tools', 'resume'],
};

const TALK: readonly Message[] = [
  said(1, 'agent', 0, 'Hi, I’m listening. What can I do for you?'),
  said(2, 'user', 4200, 'Could you tell me when the next train leaves?'),
  {
    kind: 'tool',
    id: 't2',
    turn: 2,
    at: START + 8100,
    name: 'next_departure',
    callId: 'call-1',
    where: 'client',
    args: { from: 'Bern', line: 'any' },
    status: 'done',
    result: { to: 'Thun', at: '09:37', platform: 4 },
  },
  said(2, 'agent', 8900, 'The next one is the 9:37 to Thun, from platform four. After that there is one every half hour until midnight, and the fast trains leave at', {
    heard: 'The next one is the 9:37 to Thun, from platform four. After that there is one',
    interrupted: true,
  }),
  said(3, 'user', 15_300, 'No, wait, I meant towards Zurich.'),
  said(3, 'agent', 18_100, 'Towards Zurich it is the 9:32, in two minutes, from platform seven. You would have to run; the one after it leaves at 10:02.', {
    final: false,
  }),
];

const LIVE: VoiceState = {
  ...IDLE,
  status: 'connected',
  agent: 'speaking',
  sessionId: 's_7Qm2vXkLr0aE',
  mic: { status: 'live', muted: false, talking: false },
  speaker: { ...IDLE.speaker, playing: true },
  messages: TALK,
  usage: { tokens: { input_text: 310, input_audio: 402, input_image: 0, output_text: 0, output_audio: 572, thoughts: 0, tool_use: 0, cached: 0, total: 1284 }, cost_micro_usd: 3100, estimated: false },
  endsAt: START + 30 * 60_000,
  metrics: { ...IDLE.metrics, rttMs: 76, responseMs: 412, bufferedMs: 1840, uplinkBps: 262_000, downlinkBps: 391_000 },
};

const STORY: readonly Beat[] = [
  out(-1300, { type: 'start', request: 'q7', versions: [1], agent: 'assistant' }),
  into(-1240, { type: 'starting', session: 's_7Qm2vXkLr0aE', stage: 'admitted', i: 1 }),
  into(-420, { type: 'ready', session: 's_7Qm2vXkLr0aE', resume_key: 'k', i: 2 }),
  out(-300, { type: 'hello', versions: [1] }),
  into(-180, { type: 'live', session: 's_7Qm2vXkLr0aE', version: 1, e: 1 }),
  out(-170, { type: 'mic', state: 'open' }),
  into(0, { type: 'turn.started', turn: 1, role: 'agent', e: 1, n: 1 }),
  into(2500, { type: 'turn.ended', turn: 1, role: 'agent', e: 1, n: 2 }),
  into(4200, { type: 'turn.started', turn: 2, role: 'user', e: 1, n: 3 }),
  into(7600, { type: 'transcript', message: 'u2', turn: 2, role: 'user', text: 'Could you tell me when the next train leaves?', final: true, e: 1, n: 4 }),
  { at: 8000, answered: 486, firstAudio: 371 },
  into(8100, { type: 'tool.call', call_id: 'call-1', name: 'next_departure', deadline_ms: 20_000, args: { from: 'Bern' }, e: 1, n: 5 }),
  out(8140, { type: 'tool.result', call_id: 'call-1', ok: true, data: { at: '09:37' } }),
  into(8900, { type: 'turn.started', turn: 2, role: 'agent', e: 1, n: 6 }),
  into(15_310, { type: 'turn.started', turn: 3, role: 'user', e: 1, n: 7 }),
  into(15_320, { type: 'turn.interrupted', turn: 2, cause: 'user', e: 1, n: 8 }),
  out(15_330, { type: 'playback', turn: 2, state: 'flushed', played_ms: 6400 }),
  into(15_420, { type: 'turn.ended', turn: 2, role: 'agent', e: 1, n: 9 }),
  into(15_430, { type: 'usage', turn: 2, tokens: { total: 1284 }, cost_micro_usd: 3100, estimated: false, e: 1, n: 10 }),
  into(17_800, { type: 'transcript', message: 'u3', turn: 3, role: 'user', text: 'No, wait, I meant towards Zurich.', final: true, e: 1, n: 11 }),
  { at: 18_000, answered: 412, firstAudio: 322 },
  into(18_100, { type: 'turn.started', turn: 3, role: 'agent', e: 1, n: 12 }),
  out(22_300, { type: 'playback', turn: 3, state: 'progress', played_ms: 4100, buffered_ms: 3400 }),
];

const RECOVERED: readonly Beat[] = [
  ...STORY.slice(0, -1),
  { at: 19_000, break: 'Both lines cut' },
  out(19_080, { type: 'resume', session: 's_7Qm2vXkLr0aE', resume_key: 'k' }),
  into(19_290, { type: 'ready', session: 's_7Qm2vXkLr0aE', resume_key: 'k', i: 3 }),
  out(19_400, { type: 'hello', versions: [1], after: [1, 12], last_turn: 3, next_seq: 730 }),
  into(19_520, { type: 'live', session: 's_7Qm2vXkLr0aE', resumed: true, replay_from: 13, e: 1 }),
  { at: 19_540, heal: 540 },
  into(19_560, { type: 'turn.audio_end', turn: 3, role: 'agent', e: 1, n: 13 }),
  ...STORY.slice(-1),
];

export const SCENES: Record<string, Scene> = {
  idle: { state: IDLE, story: [], now: START, input: 0, output: 0 },
  connecting: { state: { ...IDLE, status: 'connecting', mic: { ...IDLE.mic, status: 'requesting' } }, story: STORY.slice(0, 2), now: START - 1000, input: 0.02, output: 0 },
  call: { state: LIVE, story: STORY, now: START + 22_400, input: 0.01, output: 0.2 },
  recovered: { state: { ...LIVE, metrics: { ...LIVE.metrics, reconnects: 1 } }, story: RECOVERED, now: START + 22_400, input: 0.01, output: 0.2 },
  reconnecting: {
    state: { ...LIVE, status: 'reconnecting', reconnect: { attempt: 2, retryAt: START + 21_000 } },
    story: RECOVERED.slice(0, -6),
    now: START + 19_600,
    input: 0.1,
    output: 0.16,
  },
  error: { state: { ...IDLE, status: 'failed', error: trouble('mic_denied'), mic: { ...IDLE.mic, status: 'error' } }, story: STORY.slice(0, 1), now: START, input: 0, output: 0 },
};

/** The scene of an error code, so that each sentence can be looked at. */
export function errorScene(code: string): Scene {
  return { ...SCENES.error!, state: { ...IDLE, status: 'failed', error: trouble(code) } };
}

function trouble(code: string): VoiceError {
  return new VoiceError(code, code, { retryable: false, fatal: true });
}

function said(turn: number, role: 'user' | 'agent', at: number, text: string, more: object = {}): Message {
  return { kind: 'text', id: `${role[0]}${turn}`, turn, role, at: START + at, text, final: true, source: 'speech', ...more };
}

function into(at: number, frame: Json): Beat {
  return { at, wire: 'in', frame };
}

function out(at: number, frame: Json): Beat {
  return { at, wire: 'out', frame };
}

export const SCENE_START = START;
