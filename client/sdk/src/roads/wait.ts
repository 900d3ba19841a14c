import { toVoiceError, VoiceError } from '../errors.js';
import type { ReconnectPolicy } from '../options.js';
import { STEADY_S } from '../protocol/tables.js';

/** Resolves after `ms`, or early: the network is back, or `signal` is aborted. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      globalThis.removeEventListener?.('online', wake);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    globalThis.addEventListener?.('online', wake);
    signal.addEventListener('abort', wake);
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
  #endsAt = 0;
  readonly #policy: ReconnectPolicy;
  readonly #signal: AbortSignal;
  readonly #tell: (attempt: Attempt) => void;

  constructor(patienceMs: number, policy: ReconnectPolicy, signal: AbortSignal, tell: (attempt: Attempt) => void) {
    this.#policy = policy;
    this.#signal = signal;
    this.#tell = tell;
    this.broke(0, patienceMs);
  }

  /** A connection broke that had been live for so long: the server waits for us anew. Only one that held ends the backoff. */
  broke(liveMs: number, patienceMs: number): void {
    this.#endsAt = performance.now() + Math.min(patienceMs, this.#policy.maxElapsedMs ?? patienceMs);
    if (liveMs >= STEADY_S * 1000) this.#attempt = 0;
  }

  /** Longest wait before the next attempt, which is counted. */
  nextLimitMs(): number {
    const { baseDelayMs = 250, maxDelayMs = 8000 } = this.#policy;
    return Math.min(maxDelayMs, baseDelayMs * 2 ** this.#attempt++);
  }

  /** Do it until it succeeds. `insist` throws what no further attempt can mend. */
  async retry<T>(act: () => Promise<T>, insist: (error: VoiceError, attempt: number) => void): Promise<T> {
    for (;;) {
      try {
        return await act();
      } catch (thrown) {
        const error = toVoiceError(thrown);
        insist(error, this.#attempt);
        await this.wait(error);
      }
    }
  }

  /** Wait before the next attempt, as long as the server asked at least. Throws `last` when time is up. */
  async wait(last: VoiceError): Promise<void> {
    throwIfAborted(this.#signal);
    const { shouldRetry } = this.#policy;
    const delayMs = Math.max(Math.random() * this.nextLimitMs(), last.retryAfterMs);
    const info = { attempt: this.#attempt, delayMs, error: last };
    if (performance.now() + delayMs >= this.#endsAt || shouldRetry?.(info) === false) throw last;
    this.#tell(info);
    await sleep(delayMs, this.#signal);
    throwIfAborted(this.#signal);
  }
}

export function aborted(): VoiceError {
  return new VoiceError('aborted', '', { fatal: true });
}

/** `signal.throwIfAborted()`, which React Native lacks. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw aborted();
}
