import type { ErrorCode as RegistryCode } from './protocol/tables.js';
import type { ControlError, Error as MediaError, OpenSession } from './protocol/wire.js';

/** Codes of this client only; all others are the protocol's. */
export type LocalCode =
  | 'aborted'
  | 'audio_blocked'
  | 'audio_interrupted'
  | 'bad_options'
  | 'connect_failed'
  | 'connect_timeout'
  | 'connection_lost'
  | 'insecure_context'
  | 'mic_denied'
  | 'mic_in_use'
  | 'mic_lost'
  | 'mic_not_found'
  | 'mic_silent'
  | 'mic_unsupported'
  | 'not_connected'
  | 'speaker_unsupported'
  | 'token_failed'
  | 'worklet_blocked';

/** Stable. A newer server may send codes that are not listed. */
export type VoiceErrorCode = RegistryCode | LocalCode | (string & {});

/** Local codes after which the same attempt may succeed: `connection_lost` too. */
const RETRYABLE = /^(connect|mic_in_use|token_failed)/;

export interface VoiceErrorInit {
  readonly retryable?: boolean;
  readonly fatal?: boolean;
  readonly retryAfterMs?: number;
  readonly ref?: string;
  readonly sessions?: readonly OpenSession[] | undefined;
  readonly cause?: unknown;
}

/**
* Error of this client. `code` is stable; `message` is for developers, `advice` for users: both have English sentences once
 * `vivavoce/advice` or `vivavoce/react` is imported.
 */
export class VoiceError extends Error {
  override readonly name = 'VoiceError';
  declare readonly code: VoiceErrorCode;
  /** The same attempt may succeed, not before `retryAfterMs`. */
  declare readonly retryable: boolean;
  /** The session is over, or never began. */
  declare readonly fatal: boolean;
  /** 0: not given. */
  declare readonly retryAfterMs: number;
  /** Subject of the error: a field, a message type, a tool call; or empty. */
  declare readonly ref: string;
  /** With `quota_sessions`: the user's open ones; `client.endSession` ends one. */
  declare readonly sessions: readonly OpenSession[] | undefined;

  constructor(code: VoiceErrorCode, message = '', init: VoiceErrorInit = {}) {
    message ||= sentences[code] ?? '';
    super(message ? `${code}: ${message}` : code, init);
    Object.assign(this, { code, retryable: RETRYABLE.test(code), fatal: false, retryAfterMs: 0, ref: '', ...init });
  }

  /**
   * One sentence that a user can act on. In English once `vivavoce/advice` or `vivavoce/react` is imported, or as
   * `setAdvice` says; before that the message.
   */
  get advice(): string {
    return advise(this);
  }
}

let advise = (error: VoiceError): string => error.message;
let sentences: Readonly<Record<string, string>> = {};

/**
 * Say where `advice` comes from: an app's own words, in its own languages, by `error.code`. `messages`, also by code, are
 * for developers, of errors that come without one.
 */
export function setAdvice(words: (error: VoiceError) => string, messages = sentences): void {
  advise = words;
  sentences = messages;
}

/** The app's own mistake, by the option's name. */
export function badOption(ref: string, cause?: unknown): VoiceError {
  return new VoiceError('bad_options', cause ? `${ref}: ${(cause as Error).message}` : `${ref} is missing`, { ref, cause });
}

/** Party that ended a call by this error; the client's own codes are about the client or the network. */
export function endedBy(code: string): 'client' | 'network' | 'server' {
  if (code.startsWith('connect')) return 'network';
  return /^(audio|bad_options|insecure|mic|token_failed|worklet)/.test(code) ? 'client' : 'server';
}

/** Return whether another token may be accepted. */
export function isAboutToken(code: string): boolean {
  return code.startsWith('auth_');
}

/** Convert whatever was thrown to an error of this client. */
export function toVoiceError(thrown: unknown, code: LocalCode = 'connect_failed'): VoiceError {
  return thrown instanceof VoiceError ? thrown : new VoiceError(code, '', { cause: thrown });
}

/** Convert an error message of the server. */
export function received(error: ControlError | MediaError): VoiceError {
  const { code, message, fatal, retryable, retry_after_ms: retryAfterMs, ref, sessions } = error as ControlError;
  return new VoiceError(code, message, { fatal: fatal && !retryable, retryable, retryAfterMs, ref, sessions });
}
