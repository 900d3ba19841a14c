import { VoiceError } from '../errors.js';
import type { ReconnectPolicy } from '../options.js';

const BASE_MS = 250;
const LONGEST_MS = 8000;

/** Resolves after `ms`, or early when the network is back. Rejects with `aborted`. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(aborted());
    const done = (act: () => void) => {
      clearTimeout(timer);
      globalThis.removeEventListener?.('online', wake);
      signal.removeEventListener('abort', stop);
      act();
    };
    const wake = () => done(resolve);
    const stop = () => done(() => reject(aborted()));
    const timer = setTimeout(wake, ms);
    globalThis.addEventListener?.('online', wake);
    signal.addEventListener('abort', stop);
  });
}

export interface Attempt {
  readonly attempt: number;
  readonly delayMs: number;
  readonly error: VoiceError;
}

/** Full jitter: between 0 and a limit that doubles. Spreads the clients of a relay that died. */
export class Backoff {
  #attempt = 0;
  readonly #endsAt: number;
  readonly #policy: ReconnectPolicy;

  constructor(patienceMs: number, policy: ReconnectPolicy) {
    this.#endsAt = performance.now() + Math.min(patienceMs, policy.maxElapsedMs ?? patienceMs);
    this.#policy = policy;
  }

  /** Wait before the next attempt, as long as the server asked at least. Throws `last` when time is up. */
  async wait(last: VoiceError, signal: AbortSignal, tell: (attempt: Attempt) => void): Promise<void> {
    const { baseDelayMs = BASE_MS, maxDelayMs = LONGEST_MS, shouldRetry } = this.#policy;
    const limit = Math.min(maxDelayMs, baseDelayMs * 2 ** this.#attempt);
    const delayMs = Math.max(Math.random() * limit, last.retryAfterMs);
    const isLate = performance.now() + delayMs >= this.#endsAt;
    this.#attempt += 1;
    if (isLate || shouldRetry?.({ attempt: this.#attempt, error: last }) === false) throw asFatal(last);
    tell({ attempt: this.#attempt, delayMs, error: last });
    await sleep(delayMs, signal);
  }
}

export function asFatal(error: VoiceError): VoiceError {
  if (error.fatal) return error;
  const { code, message, retryable, retryAfterMs, ref, cause } = error;
  return new VoiceError(code, message.slice(code.length + 2), { retryable, retryAfterMs, ref, cause, fatal: true });
}

export function aborted(): VoiceError {
  return new VoiceError('aborted', '', { fatal: true });
}

/** `signal.throwIfAborted()`, which React Native lacks. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw aborted();
}
