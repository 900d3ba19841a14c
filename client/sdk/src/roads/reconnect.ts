import { isAboutToken, received, VoiceError } from '../errors.js';
import type { ReconnectPolicy } from '../options.js';
import {
  BACKOFF_BASE_MS,
  BACKOFF_MAX_MS,
  FINAL_CLOSE_CODES,
  LATER_MS,
  MOVE_EARLY_MS,
  RESUMABLE_CODES,
  START_PATIENCE_MS,
  START_TRIES,
  STEADY_MS,
  TICKET_MS,
} from '../protocol/tables.js';
import type { Error as Refusal } from '../protocol/wire.js';

/** Next action, after a random wait between `waitMs` and `waitMs + jitterMs`. */
export interface Step {
  /**
   * `start` and `resume` are requests on control, `connect` opens the media connection of the newest `ready`, `end` fails
   * by `error` or, without one, is the end as it should be. `stay`: a move failed, the old connection stays.
   */
  readonly do: 'start' | 'resume' | 'connect' | 'end' | 'stay';
  /** Reason; none: nothing is wrong. */
  readonly error?: VoiceError | undefined;
  readonly mediaFailed?: boolean;
  /** Use another token than the last one. */
  readonly refresh?: boolean;
  readonly waitMs?: number;
  readonly jitterMs?: number;
}

/** End of a media connection. */
export interface MediaClose {
  /** 0: this end gave up waiting. */
  readonly code: number;
  /** The fatal error before it. */
  readonly refusal: Refusal | null;
  /** The handshake succeeded. */
  readonly isReached: boolean;
  /** Time it was live; negative: never. */
  readonly liveMs: number;
  /** Time from the connect to the close. */
  readonly ticketMs: number;
}

/** Return whether a resume mends this error, even if `ended` followed: only the relay's part ended. */
function isResumable(code: string): boolean {
  return /^(connect|token)/.test(code) || RESUMABLE_CODES.includes(code);
}

/** Longest wait for a pause between turns before leaving a relay that goes away. */
export function moveWithinMs(endsInMs: number): number {
  return Math.max(0, endsInMs - MOVE_EARLY_MS);
}

/**
 * The reconnect policy of one session, as protocol/PROTOCOL.md has it: what a client does next when a request was answered, or
 * failed, or a connection broke. No I/O, no timers, no clock: it is told the time, in ms of one monotonic clock.
 */
export class Reconnect {
  /** Attempts since the last connection that held. */
  attempts = 0;
  #request: 'start' | 'resume' = 'start';
  #mediaFailed = false;
  #isRefreshed = false; //: the request was made again with another token
  #isMoving = false; //: a resume while the old connection still serves
  #refusal: VoiceError | null = null; //: of the connection that broke
  #unanswered = 0;
  #endsAt = 0;
  #resumeMs = 0; //: how long the server waits for us
  readonly #policy: ReconnectPolicy;

  constructor(policy: ReconnectPolicy) {
    this.#policy = policy;
  }

  /** Open a session, or go on with one whose key was kept. */
  begin(request: 'start' | 'resume', now: number): Step {
    this.#request = request;
    this.#endsAt = now + START_PATIENCE_MS;
    return { do: request };
  }

  /** A request was answered. */
  ready(resumeMs: number): Step {
    this.#isRefreshed = this.#isMoving = false;
    this.#resumeMs = Math.min(resumeMs, this.#policy.maxElapsedMs ?? resumeMs);
    return { do: 'connect' };
  }

  /** A request failed. `isAdmitted`: the server knows the session. */
  failed(error: VoiceError, isAdmitted: boolean, now: number): Step {
    const { code, retryable } = error;
    if (isAboutToken(code) && retryable && !this.#isRefreshed) {
      this.#isRefreshed = true;
      return { do: this.#request, mediaFailed: this.#mediaFailed, refresh: true };
    }
    if (this.#isMoving) {
      this.#isRefreshed = this.#isMoving = false;
      return { do: 'stay' };
    }
    if (code === 'session_ended' && this.#refusal) return { do: 'end', error: this.#refusal };
    const mayAnswer = /_lost|_timeout$/.test(code) && ++this.#unanswered < START_TRIES;
    return (isAdmitted ? retryable : mayAnswer) ? this.#again(error, now) : { do: 'end', error };
  }

  /** A media connection ended, or the attempt to make one. */
  closed({ code, refusal, isReached, liveMs, ticketMs }: MediaClose, isEnded: boolean, now: number): Step {
    if (isEnded && !refusal) return { do: 'end' };
    const isLate = !code && liveMs < 0;
    const lost = isLate ? 'connect_timeout' : isReached ? 'connection_lost' : 'connect_failed';
    const error = refusal ? received(refusal) : new VoiceError(FINAL_CLOSE_CODES[code] ?? lost);
    if (liveMs >= 0 || this.#request === 'start') this.#endsAt = now + this.#resumeMs; // the server waits anew
    if (liveMs >= STEADY_MS) this.attempts = 0;
    this.#request = 'resume';
    this.#refusal = refusal && error;
    this.#mediaFailed = !isReached && ticketMs < TICKET_MS;
    return isResumable(error.code) || (error.retryable && !isEnded) ? this.#again(error, now) : { do: 'end', error };
  }

  /** Resume elsewhere with the old connection still open, which is left when `ready` has come. */
  move(): Step {
    this.#request = 'resume';
    this.#mediaFailed = false;
    this.#isMoving = true;
    return { do: 'resume' };
  }

  #again(error: VoiceError, now: number): Step {
    const { baseDelayMs = BACKOFF_BASE_MS, maxDelayMs = BACKOFF_MAX_MS } = this.#policy;
    this.#isRefreshed = false;
    const waitMs = error.retryAfterMs || (isResumable(error.code) ? 0 : LATER_MS);
    if (now + waitMs >= this.#endsAt) return { do: 'end', error };
    const jitterMs = Math.min(maxDelayMs, baseDelayMs * 2 ** this.attempts++);
    return { do: this.#request, error, mediaFailed: this.#mediaFailed, waitMs, jitterMs };
  }
}
