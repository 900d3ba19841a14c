import { since } from '../clock.js';
import { VoiceError } from '../errors.js';
import { onDemand } from '../ondemand.js';
import type { FrameForm } from '../ondemand/form.js';
import { uplinkMs } from '../protocol/audio.js';
import { charsOf, TokenBucket } from '../protocol/pace.js';
import type { ClientSession, Numbered, Said } from '../protocol/session.js';
import { KEPT_MESSAGES, TEXT_CHARS_BURST, TEXT_CHARS_PER_S, UPLINK_KEPT_MS } from '../protocol/tables.js';
import { UplinkDelay } from '../protocol/uplink-delay.js';
import type { ClientMessage, Pong } from '../protocol/wire.js';
import type { Line } from './line.js';

/** Queue to the media road: sends at once, or after the break. What is numbered is kept by the session, not here. */
export class Outbox {
  /** Microphone audio given up because the line was too narrow. */
  droppedMs = 0;
  /** Of the last ping that was answered. */
  rttMs?: number;
  /** On the present connection. */
  delay = new UplinkDelay();
  #frames: Numbered[] = []; //: that wait for room on the line
  #silentAt = 0; //: without another pong the line is silent from then on, not narrow: what waits is kept
  #keptMs = 0; //: age at which they are dropped: a later one, until what had to wait over a break or a silence has gone
  #form?: FrameForm; //: once the line was too narrow
  #line: Line | null = null;
  #unsent = 0; //: messages of the break
  readonly #latest = new Map<string, ClientMessage>();
  readonly #chars = new TokenBucket(TEXT_CHARS_PER_S, TEXT_CHARS_BURST);
  readonly #session: ClientSession;

  constructor(session: ClientSession) {
    this.#session = session;
  }

  /** The line is narrow, until a time of `performance.now()`. */
  get narrowUntil(): number {
    return this.#form?.narrowUntil ?? 0;
  }

  get isOpen(): boolean {
    return !!this.#line;
  }

  /** Send what the server lacks, then the latest reports. */
  open(line: Line): void {
    this.#line = line;
    this.#unsent = 0;
    this.#keptMs = Infinity;
    this.delay = new UplinkDelay();
    for (const item of this.#session.resend())
      if ('seq' in item) this.#frames.push(item);
      else {
        this.#sendFrames(true);
        line.send(item);
      }
    this.#sendFrames();
    for (const message of this.#latest.values()) this.report(message);
  }

  close(): void {
    this.#line = null;
    this.#frames = [];
  }

  /** Send microphone audio when the line has room; during a break the session's resend has it. */
  frame(frame: Numbered): void {
    if (!this.#line) return;
    const { at } = frame;
    this.#frames.push(frame);
    const lateMs = at - (this.#frames[0] as Numbered).at + UPLINK_KEPT_MS;
    this.#keptMs = at > this.#silentAt ? lateMs : Math.min(this.#keptMs, lateMs);
    while (at - (this.#frames[0] as Numbered).at > this.#keptMs) {
      this.droppedMs += uplinkMs((this.#frames.shift() as Numbered).data);
      onDemand().then(
        ({ FrameForm }) => (this.#form ??= new FrameForm(this.#session)).dropped(at),
        () => {}, // the next one tries again
      );
    }
    this.#sendFrames();
    if (this.#frames[0]) this.#form?.held(at);
  }

  /** A pong of the present connection came. */
  answered({ t, server_ms }: Pong, now: number): void {
    this.rttMs = since(t);
    this.delay.answered(t, server_ms, now);
    this.#silentAt = now + this.rttMs + UPLINK_KEPT_MS;
    this.#sendFrames();
  }

  /** Send a message that must arrive; kept during a break. Returns why it is refused: too many wait, or too much text. */
  send(said: Said): VoiceError | null {
    this.#sendFrames(true);
    if (this.#unsent >= KEPT_MESSAGES) return new VoiceError('not_connected');
    const waitMs = this.#chars.take(performance.now(), charsOf(said));
    if (waitMs)
      return new VoiceError('rate_limited', '', { retryable: true, retryAfterMs: Math.ceil(waitMs) });
    const message = this.#session.say(said);
    if (this.#line) this.#line.send(message);
    else this.#unsent += 1;
    return null;
  }

  /** Report a state: sent now if possible; after a break only the latest of its type is. */
  report(message: ClientMessage): void {
    if (message.type === 'mic') this.#sendFrames(message.state !== 'open');
    this.#latest.set(message.type, message);
    this.#line?.send(message);
  }

  /**
   * Send frames, and before some of them a ping: its pong says how late they are. `isAll`: what was spoken before a
   * message goes before it, however full the line is.
   */
  #sendFrames(isAll = false): void {
    while (this.#frames[0] && (isAll || !this.delay.isFull)) {
      const { data } = this.#frames.shift() as Numbered;
      const now = performance.now();
      if (this.delay.frame(uplinkMs(data), now)) this.#line?.send({ type: 'ping', t: now });
      this.#line?.send(this.#form?.written(data, now) ?? data);
    }
  }
}
