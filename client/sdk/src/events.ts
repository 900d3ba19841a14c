import type { AudioDevices, PlayedUntil } from './audio/engine.js';
import type { VoiceError } from './errors.js';
import type { Json, Source } from './protocol/wire.js';
import type { Message, Quality, VoiceState } from './state.js';
import type { ToolCall } from './tools.js';

export interface Connected {
  readonly sessionId: string;
  readonly resumed: boolean;
}

export interface CloseReason {
  readonly by: 'client' | 'server' | 'network';
  /** `client`, or the code of the error that ended the session. */
  readonly reason: string;
  readonly error?: VoiceError | undefined;
}

/** Frame that passed on a socket. Tickets and keys are blanked. */
export type WireFrame = Json | { readonly binary: number };

/** Events. State is in the snapshot. */
export interface VoiceEvents {
  connected: [info: Connected];
  statechange: [state: VoiceState, previous: VoiceState];
  message: [message: Message];
  messageupdate: [message: Message];
  /** The user's part of a turn began, as the model hears it. */
  userspeechstart: [turn: number];
  userspeechend: [turn: number];
  agentspeechstart: [turn: number];
  agentspeechend: [played: PlayedUntil & { readonly interrupted: boolean }];
  interrupted: [played: PlayedUntil & { readonly cause: 'user' | 'client' | 'server' }];
  toolcall: [call: ToolCall];
  toolcancel: [callIds: readonly string[]];
  /** What the agent found by a search of the web. Show `html`, where there is any, in a sandboxed frame. */
  citation: [citation: { readonly turn: number; readonly sources: readonly Source[]; readonly html: string }];
  /** Most of a budget is used up: the agent will say goodbye before it is passed. `resetsInMs` 0: not in this session. */
  budget: [info: { readonly scope: string; readonly usedPercent: number; readonly resetsInMs: number }];
  goaway: [info: { readonly endsAt: number; readonly move: boolean }];
  reconnecting: [info: { readonly attempt: number; readonly delayMs: number; readonly error: VoiceError }];
  reconnected: [info: { readonly resumed: boolean; readonly gapMs: number; readonly lostTurns: readonly number[] }];
  devicechange: [devices: AudioDevices];
  /** The line became narrow, or wide again. */
  quality: [info: { readonly quality: Quality; readonly uplinkDelayMs: number }];
  underrun: [info: { readonly turn: number; readonly prebufferMs: number }];
  wire: [direction: 'in' | 'out', road: 'control' | 'media', frame: WireFrame];
  /** Something went wrong; `fatal` says whether the session is over. */
  error: [error: VoiceError];
  close: [reason: CloseReason];
}

type Handler<E extends keyof VoiceEvents> = (...args: VoiceEvents[E]) => void;

interface Entry {
  readonly event: keyof VoiceEvents;
  readonly handle: Handler<never>;
}

/** Handlers by event. One that throws harms neither the others nor the call. */
export class Emitter {
  readonly #entries = new Set<Entry>();

  on<E extends keyof VoiceEvents>(
    event: E,
    handler: Handler<E>,
    { signal, once }: { signal?: AbortSignal; once?: boolean } = {},
  ): () => void {
    const handle = (...args: VoiceEvents[E]) => {
      if (once || signal?.aborted) off();
      if (!signal?.aborted) handler(...args);
    };
    const entry = { event, handle: handle as Handler<never> };
    const off = () => void this.#entries.delete(entry);
    this.#entries.add(entry);
    return off;
  }

  has(event: keyof VoiceEvents): boolean {
    return this.#of(event).length > 0;
  }

  emit<E extends keyof VoiceEvents>(event: E, ...args: VoiceEvents[E]): void {
    for (const { handle } of this.#of(event)) {
      try {
        (handle as Handler<E>)(...args);
      } catch (thrown) {
        queueMicrotask(() => {
          throw thrown;
        });
      }
    }
  }

  #of(event: keyof VoiceEvents): Entry[] {
    return [...this.#entries].filter((entry) => entry.event === event);
  }
}
