import { toVoiceError, type VoiceError } from '../errors.js';
import type { ReconnectPolicy } from '../options.js';
import type { Incoming } from '../protocol/session.js';
import type { Ended, Ready, Start } from '../protocol/wire.js';
import type { Control } from './control.js';
import { type MediaParts, MediaRoad } from './media.js';
import { Reconnect, type Step } from './reconnect.js';
import { sleep, throwIfAborted } from './wait.js';

export interface Attempt {
  readonly attempt: number;
  readonly delayMs: number;
  readonly error: VoiceError;
}

export interface LifelineParts extends MediaParts {
  readonly control: Control;
  readonly policy: ReconnectPolicy | false;
  readonly signal: AbortSignal;
  received(item: Incoming): void;
  /** The connection broke; the next attempt is after this wait. */
  reconnecting(attempt: Attempt): void;
}

/** Keeps one media connection under a call: `Reconnect` decides each step, here it is done. */
export class Lifeline {
  ended: Ended | null = null;
  #road: MediaRoad | null = null;
  #ready: Ready | undefined; //: the newest
  #moving: Promise<Step> | null = null; //: a resume while the old connection still serves
  readonly #policy: Reconnect;
  readonly #parts: LifelineParts;

  constructor(parts: LifelineParts) {
    this.#parts = parts;
    this.#policy = new Reconnect(parts.policy || {});
    this.#parts.signal.addEventListener('abort', () => this.#road?.leave());
  }

  /** Resolves when the session has ended. Rejects with VoiceError when it cannot go on. `start`: none to resume. */
  async run(start: Start | null): Promise<void> {
    let step = this.#policy.begin(start ? 'start' : 'resume', performance.now());
    while (step.do !== 'end') {
      if (step.jitterMs) await this.#wait(step);
      step = await (step.do === 'connect' ? this.#serve() : this.#ask(step, start));
      throwIfAborted(this.#parts.signal);
    }
    if (step.error) throw step.error;
  }

  /** Resume elsewhere, and only then leave the present relay. */
  move(): void {
    this.#moving ??= this.#move();
  }

  async #move(): Promise<Step> {
    let step = this.#policy.move();
    while (step.do === 'resume') step = await this.#ask(step, null);
    if (step.do === 'connect') this.#road?.leave();
    return step;
  }

  async #ask(step: Step, start: Start | null): Promise<Step> {
    const { control, signal } = this.#parts;
    try {
      this.#ready = await control.ask(step, start, signal);
      return this.#policy.ready(this.#ready.limits.resume_ms);
    } catch (thrown) {
      return this.#policy.failed(toVoiceError(thrown), !!control.session, performance.now());
    }
  }

  /** Serve one media connection to its end, or until another relay is ready to take over. */
  async #serve(): Promise<Step> {
    this.#road = new MediaRoad(this.#parts, (item) => this.#receive(item));
    const closed = await this.#road.serve((this.#ready as Ready).media);
    const isOver = this.ended && !closed.refusal;
    const moved = isOver ? null : await this.#moving;
    this.#moving = null;
    const step = moved?.do === 'connect' ? moved : this.#policy.closed(closed, !!this.ended, performance.now());
    if (step.do !== 'end') {
      this.ended = null; // that was the end of the relay's part, if anything
      this.#parts.session.revive();
    }
    return step;
  }

  #receive(item: Incoming): void {
    if (item.type === 'ended') this.ended = item;
    this.#parts.received(item);
  }

  async #wait({ do: next, error, waitMs, jitterMs }: Step): Promise<void> {
    const { policy, signal } = this.#parts;
    const delayMs = (waitMs as number) + Math.random() * (jitterMs as number);
    if (next === 'resume') {
      const info = { attempt: this.#policy.attempts, delayMs, error: error as VoiceError };
      if (!policy || policy.shouldRetry?.(info) === false) throw error;
      this.#parts.reconnecting(info);
    }
    await sleep(delayMs, signal);
    throwIfAborted(signal);
  }
}
