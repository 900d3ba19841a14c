import { comesBack, received, VoiceError } from '../errors.js';
import type { ReconnectPolicy } from '../options.js';
import type { Incoming } from '../protocol/session.js';
import { FINAL_CLOSE_CODES } from '../protocol/tables.js';
import type { Ended, Ready } from '../protocol/wire.js';
import type { Control } from './control.js';
import { type MediaParts, MediaRoad, type Parting } from './media.js';
import { type Attempt, Backoff, throwIfAborted } from './wait.js';

export interface LifelineParts extends MediaParts {
  readonly control: Control;
  readonly policy: ReconnectPolicy | false;
  readonly signal: AbortSignal;
  received(item: Incoming): void;
  /** The connection broke; the next attempt is after this wait. */
  reconnecting(attempt: Attempt): void;
}

/**
 * Keeps one media connection under a call.
 *
 *     ready ──▶ connect ──▶ hello ──▶ live ──▶ broken ──▶ (jittered wait) ──▶ control `resume` ──▶ ready …
 *                                       └──▶ ended, or an error that no resume can mend
 */
export class Lifeline {
  ended: Ended | null = null;
  #road: MediaRoad | null = null;
  #backoff: Backoff | null = null; //: since the last connection that held
  #liveAt: number | null = null; //: when the last connection went live
  #moving: Promise<Ready | null> | null = null; //: a resume while the old connection still serves
  readonly #parts: LifelineParts;

  constructor(parts: LifelineParts) {
    this.#parts = parts;
    this.#parts.signal.addEventListener('abort', () => this.#road?.leave());
  }

  /** Resolves when the session has ended. Rejects with VoiceError when it cannot go on. */
  async run(ready: Ready): Promise<void> {
    for (let next = ready; ; ) {
      this.#road = new MediaRoad(this.#parts, (item) => this.#heed(item));
      const parting = await this.#road.serve(next.media);
      throwIfAborted(this.#parts.signal);
      if (!parting.refusal && this.ended) return;
      const moved = await this.#moving;
      this.#moving = null;
      next = moved ?? (await this.#wayBack(next.limits.resume_ms, parting));
    }
  }

  /** Resume elsewhere, and only then leave the present relay. */
  move(): void {
    const { control, signal } = this.#parts;
    const road = this.#road;
    this.#moving ??= control.resume(false, signal).then(
      (ready) => {
        road?.leave();
        return ready;
      },
      () => null, // the relay closes when its time is over; then as after any break
    );
  }

  #heed(item: Incoming): void {
    if (item.type === 'live') this.#liveAt = performance.now();
    if (item.type === 'ended') this.ended = item;
    this.#parts.received(item);
  }

  /** Resume, over and over. Rejects when the server says no or has stopped waiting for us. */
  async #wayBack(patienceMs: number, parting: Parting): Promise<Ready> {
    const { control, policy, signal } = this.#parts;
    const { refusal, isUnreachable } = parting;
    const failure = this.#verdict(parting);
    if (!policy || !this.#mayComeBack(failure)) throw failure;
    this.#backoff ??= new Backoff(patienceMs, policy, signal, (attempt) => this.#parts.reconnecting(attempt));
    if (this.#liveAt !== null) this.#backoff.broke(performance.now() - this.#liveAt, patienceMs);
    this.#liveAt = null;
    await this.#backoff.wait(failure);
    return await this.#backoff.retry(
      () => control.resume(isUnreachable, signal),
      (error) => {
        if (error.code === 'session_ended' && refusal) throw received(refusal);
        if (!error.retryable) throw error;
      },
    );
  }

  /** Why the connection that was just closed broke. */
  #verdict({ code, refusal, isJoined }: Parting): VoiceError {
    const lost = isJoined ? 'connection_lost' : code ? 'connect_failed' : 'connect_timeout';
    if (!refusal) return new VoiceError(FINAL_CLOSE_CODES[code] ?? lost);
    // `ended` after an error that a resume mends ended this relay's part only: control knows better.
    if (comesBack(refusal.code)) {
      this.ended = null;
      this.#parts.session.revive();
    }
    return received(refusal);
  }

  /** Whether a resume may help. Of "later" it is the session that is meant, once it has ended. */
  #mayComeBack({ code, retryable }: VoiceError): boolean {
    return comesBack(code) || (retryable && !this.ended);
  }
}
