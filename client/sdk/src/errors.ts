import { ERRORS, type ErrorCode as RegistryCode } from './protocol/tables.js';

/** Codes of this client only; all others are the protocol's. */
export type LocalCode =
  | 'aborted'
  | 'audio_blocked'
  | 'audio_interrupted'
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

/** code -> what a user can do about it. Codes that are missing have the sentence of `ANY`. */
const ADVICE: Partial<Record<RegistryCode | LocalCode, string>> = {
  aborted: 'The call was cancelled.',
  audio_blocked: 'The browser waits for a click before it plays sound. Turn sound on.',
  audio_interrupted: 'Another app uses the audio. The call goes on when it is done.',
  capacity: 'All lines are busy. Try again in a moment.',
  connect_failed: 'The server cannot be reached. Check your connection and try again.',
  connect_timeout: 'The server did not answer in time. Try again.',
  connection_lost: 'The connection was lost. Check your network and call again.',
  insecure_context: 'The microphone works on https pages and on localhost only. Open the page by its https address.',
  mic_denied: 'Microphone access is blocked. Allow it in the browser’s site settings, then try again.',
  mic_in_use: 'The microphone is in use by another app. Close that app and try again.',
  mic_lost: 'The microphone was disconnected. Plug it in again, or choose another one.',
  mic_not_found: 'No microphone was found. Connect one and try again.',
  mic_silent: 'Nothing is heard from the microphone. Check whether it is muted.',
  mic_unsupported: 'This browser cannot use a microphone here. Use a current browser.',
  not_connected: 'There is no call. Start one first.',
  protocol_mismatch: 'This app is out of date. Reload the page, or update the app.',
  quota_minutes: 'The time for today is used up. Come back tomorrow.',
  quota_sessions: 'You have a call open elsewhere. End it first.',
  quota_starts: 'Too many calls in a short time. Wait a minute.',
  session_limit: 'The call has reached its longest duration. Start a new one.',
  speaker_unsupported: 'This browser cannot choose a speaker. Choose it in the system’s settings.',
  superseded: 'The call goes on in another window.',
  too_large: 'That is too large to send. Send something smaller.',
  upstream_context_full: 'The conversation has become too long. Start a new one.',
  upstream_policy: 'The assistant may not talk about this. Try something else.',
  worklet_blocked: 'Audio is blocked by this page’s security policy. Tell the people who run it.',
};
const LATER = 'The service is busy. Try again in a moment.';
const SIGN_IN = 'You are not signed in any more. Sign in again.';
const ANY = 'Something went wrong. Start a new call.';

/** Local codes after which the same attempt may succeed. */
const RETRYABLE = new Set<string>([
  'connect_failed',
  'connect_timeout',
  'connection_lost',
  'mic_in_use',
  'token_failed',
]);

export interface VoiceErrorInit {
  readonly retryable?: boolean;
  readonly fatal?: boolean;
  readonly retryAfterMs?: number;
  readonly ref?: string;
  readonly cause?: unknown;
}

/** What went wrong. `code` is stable; `message` is for developers, `advice` for users. */
export class VoiceError extends Error {
  override readonly name = 'VoiceError';
  readonly code: VoiceErrorCode;
  /** The same attempt may succeed, not before `retryAfterMs`. */
  readonly retryable: boolean;
  /** The session is over, or never began. */
  readonly fatal: boolean;
  /** 0: no such wish. */
  readonly retryAfterMs: number;
  /** What it is about: a field, a message type, a tool call; or empty. */
  readonly ref: string;

  constructor(code: VoiceErrorCode, message = '', init: VoiceErrorInit = {}) {
    super(`${code}: ${message || adviceOn(code)}`, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = code;
    this.retryable = init.retryable ?? isRetryable(code);
    this.fatal = init.fatal ?? false;
    this.retryAfterMs = init.retryAfterMs ?? 0;
    this.ref = init.ref ?? '';
  }

  /** One sentence that a user can act on, in English. Translate by `code`. */
  get advice(): string {
    return adviceOn(this.code);
  }
}

/** The registry's verdict; undefined for codes of this client or of a newer server. */
export function verdict(code: string): (typeof ERRORS)[RegistryCode][0] | undefined {
  return Object.hasOwn(ERRORS, code) ? ERRORS[code as RegistryCode][0] : undefined;
}

function isRetryable(code: string): boolean {
  const retry = verdict(code);
  return retry ? retry !== 'never' : RETRYABLE.has(code);
}

function adviceOn(code: string): string {
  const own = Object.hasOwn(ADVICE, code) ? ADVICE[code as RegistryCode] : undefined;
  if (own) return own;
  const retry = verdict(code);
  if (retry === 'refresh' || code === 'token_failed') return SIGN_IN;
  return retry === 'later' || retry === 'resume' ? LATER : ANY;
}

/** An error of this client, whatever was thrown. */
export function toVoiceError(thrown: unknown, code: LocalCode): VoiceError {
  return thrown instanceof VoiceError ? thrown : new VoiceError(code, '', { cause: thrown });
}
