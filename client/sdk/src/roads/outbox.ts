import { VoiceError } from '../errors.js';
import { uplinkMs } from '../protocol/audio.js';
import { charsOf, TokenBucket } from '../protocol/pace.js';
import type { Numbered } from '../protocol/session.js';
import { NARROW_MS, TEXT_CHARS_BURST, TEXT_CHARS_PER_S, UPLINK_KEPT_MS } from '../protocol/tables.js';
import { UplinkDelay } from '../protocol/uplink-delay.js';
import type { Activity, ClientMessage, Pong } from '../protocol/wire.js';
import type { Line } from './line.js';

const WAITING = 256; //: messages kept during a break
const HEADER_BYTES = 8;
const RESULTS_MS = 10_000; //: a tool's result may have been under way when the connection broke

interface Waiting {
  readonly at: number;
  readonly data: ClientMessage | Uint8Array<ArrayBuffer>;
}

/** Queue to the media road: sends at once, or after the break. Audio is kept by the session, not here. */
export class Outbox {
  /** Microphone audio given up because the line was too narrow. */
  droppedMs = 0;
  /** A while after the last of it, in ms of `performance.now()`. */
  narrowUntil = 0;
  /** Of the last ping that was answered. */
  rttMs?: number;
  readonly delay = new UplinkDelay();
  #frames: Numbered[] = []; //: that wait for room on the line
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
    this.delay.connected();
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
    this.#frames = [];
  }

  /** Send microphone audio when the line has room; during a break the session's resend has it. */
  frame(frame: Numbered): void {
    if (!this.#line) return;
    this.#frames.push(frame);
    while ((this.#frames[0] as Numbered).at < frame.at - UPLINK_KEPT_MS) {
      this.droppedMs += lengthMs((this.#frames.shift() as Numbered).data);
      this.narrowUntil = frame.at + NARROW_MS;
    }
    this.#sendFrames(frame.at);
  }

  /** A pong of the present connection came. */
  answered({ t, server_ms }: Pong, now: number): void {
    this.rttMs = Math.round(now - t);
    this.delay.answered(t, server_ms, now);
    this.#sendFrames(now);
  }

  /** Send a message that must arrive; kept during a break. Returns why it is refused: too many wait, or too much text. */
  send(data: ClientMessage): VoiceError | null {
    const item = { at: performance.now(), data };
    this.#sendFrames(performance.now(), true);
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
    if (message.type === 'mic') this.#sendFrames(performance.now(), true);
    this.#latest.set(message.type, message);
    this.#line?.send(message);
  }

  /** `isAll`: what was spoken before a message goes before it, however full the line is. */
  #sendFrames(now: number, isAll = false): void {
    while (this.#frames[0] && (isAll || !this.delay.isFull))
      this.#sendFrame((this.#frames.shift() as Numbered).data, now);
  }

  /** Send a frame, and before some of them a ping: its pong says how late they are. */
  #sendFrame(frame: Numbered['data'], now: number): void {
    if (this.delay.frame(lengthMs(frame), now)) this.#line?.send({ type: 'ping', t: now });
    this.#line?.send(frame);
  }

  #write(item: Waiting): void {
    const { data } = item;
    if (data instanceof Uint8Array) return this.#sendFrame(data, performance.now());
    if (data.type === 'tool.result') this.#results.push(item);
    if (data.type === 'activity') this.#activity = data;
    this.#line?.send(data);
  }
}

function lengthMs(frame: Uint8Array): number {
  return uplinkMs(frame.length - HEADER_BYTES);
}
