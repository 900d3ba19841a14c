import { VoiceError } from '../errors.js';
import { uplinkMs } from '../protocol/audio.js';
import { charsOf, TokenBucket } from '../protocol/pace.js';
import type { Numbered } from '../protocol/session.js';
import { TEXT_CHARS_BURST, TEXT_CHARS_PER_S } from '../protocol/tables.js';
import type { Activity, ClientMessage } from '../protocol/wire.js';
import type { Line } from './line.js';

const WAITING = 256; //: messages kept during a break
const BACKLOG_BYTES = 64_000; //: two seconds of speech in the socket: what comes on top would be too old
const HEADER_BYTES = 8;
const RESULTS_MS = 10_000; //: a tool's result may have been under way when the connection broke

interface Waiting {
  readonly at: number;
  readonly data: ClientMessage | Uint8Array<ArrayBuffer>;
}

/** Queue to the media road: sends at once, or after the break. Audio is kept by the session, not here. */
export class Outbox {
  /** Microphone audio given up because the socket was too slow. */
  droppedMs = 0;
  #line: Line | null = null;
  #waiting: Waiting[] = [];
  #results: Waiting[] = []; //: those sent
  #activity: Activity | null = null; //: the last one sent
  readonly #latest = new Map<string, ClientMessage>();
  readonly #chars = new TokenBucket(TEXT_CHARS_PER_S, TEXT_CHARS_BURST);

  get isOpen(): boolean {
    return this.#line !== null;
  }

  /** Send the latest reports, then what waited and the kept frames, in the order they were made. `isMoved`: to another relay. */
  open(line: Line, isMoved: boolean, resend: readonly Numbered[]): void {
    this.#line = line;
    for (const message of this.#latest.values()) line.send(message);
    if (isMoved && this.#activity?.state === 'start') line.send(this.#activity);
    const results = this.#results.filter(({ at }) => !isMoved && at > performance.now() - RESULTS_MS);
    const items = [...results, ...this.#waiting, ...resend].sort((a, b) => a.at - b.at);
    this.#results = [];
    this.#waiting = [];
    for (const item of items) this.#write(item);
  }

  close(): void {
    this.#line = null;
  }

  /** Send microphone audio now; during a break the session's resend has it. */
  frame({ data }: Numbered): void {
    if (!this.#line) return;
    if (this.#line.backlog > BACKLOG_BYTES) this.droppedMs += uplinkMs(data.length - HEADER_BYTES);
    else this.#line.send(data);
  }

  /** Send a message that must arrive; kept during a break. Returns why it is refused: too many wait, or too much text. */
  send(data: ClientMessage): VoiceError | null {
    const item = { at: performance.now(), data };
    if (!this.#line && this.#waiting.length >= WAITING) return new VoiceError('not_connected', 'too much waits');
    const chars = charsOf(data);
    const waitMs = this.#chars.take(item.at, chars);
    if (waitMs)
      return new VoiceError('rate_limited', 'too much text', { retryable: true, retryAfterMs: Math.ceil(waitMs) });
    if (this.#line) this.#write(item);
    else this.#waiting.push(item);
    return null;
  }

  /** Report a state: sent now if possible; after a break only the latest of its type is. */
  report(message: ClientMessage): void {
    this.#latest.set(message.type, message);
    this.#line?.send(message);
  }

  #write(item: Waiting): void {
    const message = item.data as ClientMessage; // or a frame, which has no type
    if (message.type === 'tool.result') this.#results.push(item);
    if (message.type === 'activity') this.#activity = message;
    this.#line?.send(item.data);
  }
}
