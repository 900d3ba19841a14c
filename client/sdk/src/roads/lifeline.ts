import { comesBack, VoiceError } from '../errors.js';
import type { ReconnectPolicy } from '../options.js';
import type { ClientSession, Incoming } from '../protocol/session.js';
import { OVER } from '../protocol/tables.js';
import type { Ended, Ready } from '../protocol/wire.js';
import type { Control } from './control.js';
import { type Link, received } from './link.js';
import { MediaRoad, type Parting } from './media.js';
import type { Outbox } from './outbox.js';
import { type Attempt, asFatal, Backoff, throwIfAborted } from './wait.js';

export interface LifelineParts {
  readonly link: Link;
  readonly control: Control;
  readonly session: ClientSession;
  readonly outbox: Outbox;
  readonly policy: ReconnectPolicy | false;
  readonly signal: AbortSignal;
  received(item: Incoming): void;
  ticked(downlinkBytes: number): void;
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
  #backoff: Backoff | null = null; //: of the present break
  #moving: Promise<Ready | null> | null = null; //: a resume while the old connection still serves
  #bytes = 0; //: of connections that are gone
  readonly #parts: LifelineParts;

  constructor(parts: LifelineParts) {
    this.#parts = parts;
    parts.signal.addEventListener('abort', () => this.#road?.leave());
  }

  /** Resolves when the session has ended. Rejects with VoiceError when it cannot go on. */
  async run(ready: Ready): Promise<void> {
    for (let next = ready; ; ) {
      const parting = await this.#serve(next);
      throwIfAborted(this.#parts.signal);
      if (!parting.refusal && this.ended) return;
      const moved = await this.#moving;
      this.#moving = null;
      if (moved) {
        next = moved;
        continue;
      }
      const failure = this.#verdict(parting);
      if (this.#parts.policy === false || !this.#mayComeBack(failure)) throw asFatal(failure);
      next = await this.#wayBack(next.limits.resume_ms, failure, parting);
    }
  }

  /** Resume elsewhere, and only then leave the present relay. */
  move(): void {
    if (this.#moving) return;
    const { control, signal } = this.#parts;
    const road = this.#road;
    this.#moving = control.resume(false, signal).then(
      (ready) => {
        road?.leave();
        return ready;
      },
      () => null, // the relay closes when its time is over; then as after any break
    );
  }

  async #serve(ready: Ready): Promise<Parting> {
    const { link, session, outbox } = this.#parts;
    const road = new MediaRoad(link, session, outbox, {
      received: (item) => this.#heed(item),
      ticked: () => this.#parts.ticked(this.#bytes + road.bytes),
    });
    this.#road = road;
    const parting = await road.serve(ready.media);
    this.#bytes += road.bytes;
    return parting;
  }

  #heed(item: Incoming): void {
    if (item.type === 'live') this.#backoff = null;
    if (item.type === 'ended') this.ended = item;
    this.#parts.received(item);
  }

  /** Why the connection that was just closed broke. */
  #verdict({ code, refusal, isJoined, isTimeout }: Parting): VoiceError {
    // `ended` after an error that a resume mends ended this relay's part only: control knows better.
    if (refusal && comesBack(refusal.code)) {
      this.ended = null;
      this.#parts.session.revive();
    }
    if (refusal) return received(refusal);
    if (isTimeout && !isJoined) return new VoiceError('connect_timeout');
    return new VoiceError(OVER[code] ?? (isJoined ? 'connection_lost' : 'connect_failed'));
  }

  /** Whether a resume may help. Of "later" it is the session that is meant, once it has ended. */
  #mayComeBack({ code, retryable }: VoiceError): boolean {
    return comesBack(code) || (retryable && !this.ended);
  }

  /** Resume, over and over. Rejects when the server says no or has stopped waiting for us. */
  async #wayBack(patienceMs: number, failure: VoiceError, parting: Parting): Promise<Ready> {
    const { control, policy, signal } = this.#parts;
    this.#backoff ??= new Backoff(patienceMs, policy || {});
    const mediaFailed = !parting.isJoined && !parting.refusal;
    for (let last = failure; ; ) {
      await this.#backoff.wait(last, signal, (attempt) => this.#parts.reconnecting(attempt));
      try {
        return await control.resume(mediaFailed, signal);
      } catch (error) {
        throwIfAborted(signal);
        if (!(error instanceof VoiceError)) throw error;
        if (error.code === 'session_ended' && parting.refusal) throw asFatal(received(parting.refusal));
        if (!error.retryable) throw asFatal(error);
        last = error;
      }
    }
  }
}
