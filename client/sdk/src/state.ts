import type { VoiceError } from './errors.js';
import type { Json, Starting, TurnEnded, Usage } from './protocol/wire.js';

/** `closing`: hung up here, and the server has not said yet that the session has ended. */
export type ConnectionStatus =
  | 'idle'
  | 'connecting'
  | 'connected'
  | 'reconnecting'
  | 'closing'
  | 'closed'
  | 'failed';
/** `narrow`: the way up is slower than speech, which goes up with a lower quality; what would be late even so is given up. */
export type Quality = 'good' | 'narrow';
export type AgentState = 'offline' | 'listening' | 'thinking' | 'speaking';
export type MicStatus = 'off' | 'requesting' | 'live' | 'muted' | 'paused' | 'error';

/** Progress of the server in opening the session. */
export interface StartingState {
  readonly stage: Starting['stage'];
  /** Expected wait from `at`; 0: unknown. */
  readonly etaMs: number;
  /** Epoch ms when the server said so. */
  readonly at: number;
}

export interface MicState {
  readonly status: MicStatus;
  readonly muted: boolean;
  /** Push-to-talk is held. */
  readonly talking: boolean;
  readonly deviceId?: string | undefined;
  readonly label?: string | undefined;
  readonly error?: VoiceError | undefined;
}

export interface SpeakerState {
  /** False: the browser wants a click, any one on the page, before anything is played or heard (`audio_blocked`). */
  readonly unlocked: boolean;
  readonly playing: boolean;
  readonly muted: boolean;
  readonly volume: number;
  readonly deviceId?: string | undefined;
  /** Another app has the audio: a phone call, an assistant. */
  readonly interrupted: boolean;
}

export interface MessageBase {
  readonly id: string;
  readonly turn: number;
  /** Epoch ms of its first piece. */
  readonly at: number;
}

export interface TextMessage extends MessageBase {
  readonly kind: 'text';
  readonly role: 'user' | 'agent';
  /** Grows. Rarely all of it changes, when words were of the turn beside; it is empty when all of them were. */
  readonly text: string;
  readonly final: boolean;
  readonly source: 'speech' | 'typed';
  /** After an interruption: the part of `text` that was heard. Show `heard ?? text`. */
  readonly heard?: string | undefined;
  readonly interrupted?: boolean | undefined;
  /** Of a turn whose answer is missing or incomplete: `empty`, `rejected`, `lost`, or what a newer server says. */
  readonly outcome?: TurnEnded['outcome'] | undefined;
}

export interface ToolMessage extends MessageBase {
  readonly kind: 'tool';
  readonly name: string;
  readonly callId: string;
  readonly where: 'client' | 'server';
  readonly args: Json;
  readonly status: 'running' | 'done' | 'error' | 'cancelled';
  readonly result?: Json | undefined;
}

export type Message = TextMessage | ToolMessage;

/** Numbers for a status line. Changed at most once a second. */
export interface Metrics {
  readonly rttMs?: number | undefined;
  /** Time that microphone audio waits on its way: 0 on a line with room. */
  readonly uplinkDelayMs: number;
  /** End of the user's speech to the first sound, last turn. */
  readonly responseMs?: number | undefined;
  /** Interruption received to silence, last time. */
  readonly flushMs?: number | undefined;
  readonly bufferedMs: number;
  readonly underruns: number;
  readonly uplinkBps: number;
  readonly downlinkBps: number;
  readonly reconnects: number;
  /** Microphone audio given up because it was too old or the line too narrow. */
  readonly droppedUplinkMs: number;
  /** Agent frames that a break lost. */
  readonly missingFrames: number;
  /** Messages of a newer server, and messages that were not valid. */
  readonly ignored: number;
  /** Latencies at the server, last turn. */
  readonly server?:
    | { readonly firstAudioMs: number; readonly generationMs: number; readonly audioMs: number }
    | undefined;
}

/**
 * As the server reported it last. `cost_micro_usd` is what the model costs, in millionths of a dollar, 0 where clients
 * are not to know it; `estimated`: the model has not told all of its usage, and the rest is the server's reckoning.
 */
export type UsageState = Pick<Usage, 'tokens' | 'cost_micro_usd' | 'estimated'>;

/** One immutable snapshot. It is replaced when something changes, never at audio rate. */
export interface VoiceState {
  readonly status: ConnectionStatus;
  readonly agent: AgentState;
  readonly quality: Quality;
  readonly sessionId?: string | undefined;
  /** Set while connecting, once the server has admitted the call. */
  readonly starting?: StartingState | undefined;
  readonly mic: MicState;
  readonly speaker: SpeakerState;
  readonly messages: readonly Message[];
  readonly metrics: Metrics;
  readonly usage?: UsageState | undefined;
  /** Capabilities of the server: text, context, image, interrupt, tools, resume. */
  readonly capabilities: readonly string[];
  /** The last fatal or blocking problem; a recoverable one is only an event. */
  readonly error?: VoiceError | undefined;
  readonly reconnect?: { readonly attempt: number; readonly retryAt: number } | undefined;
  /** Epoch ms when the session reaches its longest duration. */
  readonly endsAt?: number | undefined;
}

export const INITIAL: VoiceState = {
  status: 'idle',
  agent: 'offline',
  quality: 'good',
  mic: { status: 'off', muted: false, talking: false },
  speaker: { unlocked: true, playing: false, muted: false, volume: 1, interrupted: false },
  messages: [],
  metrics: {
    uplinkDelayMs: 0,
    bufferedMs: 0,
    underruns: 0,
    uplinkBps: 0,
    downlinkBps: 0,
    reconnects: 0,
    droppedUplinkMs: 0,
    missingFrames: 0,
    ignored: 0,
  },
  capabilities: [],
};

/** Holds the snapshot and tells listeners when it is replaced. */
export class Store {
  #state: VoiceState = INITIAL;
  readonly #listeners = new Set<() => void>();
  readonly #onChange: (state: VoiceState, previous: VoiceState) => void;

  constructor(onChange: (state: VoiceState, previous: VoiceState) => void) {
    this.#onChange = onChange;
  }

  get state(): VoiceState {
    return this.#state;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  replace(state: VoiceState): void {
    const previous = this.#state;
    if (state === previous) return;
    this.#state = state;
    this.#onChange(state, previous);
    for (const listener of [...this.#listeners]) listener();
  }

  /** Replace the snapshot when one of these fields differs from what it has. */
  set(patch: Partial<VoiceState>): void {
    this.replace(merge(this.#state, patch));
  }

  setMic(patch: Partial<MicState>): void {
    this.set({ mic: merge(this.#state.mic, patch) });
  }

  setSpeaker(patch: Partial<SpeakerState>): void {
    this.set({ speaker: merge(this.#state.speaker, patch) });
  }

  setMetrics(patch: Partial<Metrics>): void {
    this.set({ metrics: merge(this.#state.metrics, patch) });
  }
}

function merge<T extends object>(old: T, patch: Partial<T>): T {
  const keys = Object.keys(patch) as (keyof T)[];
  return keys.every((key) => old[key] === patch[key]) ? old : { ...old, ...patch };
}
