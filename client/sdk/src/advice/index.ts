import { setAdvice, type VoiceError, type VoiceErrorCode } from '../index.js';

/** code -> what a user can do about it. Codes that are missing have the sentence of `ANY`. */
const ADVICE: Partial<Record<VoiceErrorCode, string>> = {
  aborted: 'The call was cancelled.',
  audio_blocked: 'The browser waits for a click before there is sound. Click anywhere on the page.',
  audio_interrupted: 'Another app uses the audio. The call goes on when it is done.',
  bad_options: 'This page is set up wrongly. Tell the people who run it.',
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
  idle: 'Nobody said anything for a while. Start a new call.',
  quota_exceeded: 'What talking may cost for now is used up. Come back later.',
  quota_minutes: 'The time for today is used up. Come back tomorrow.',
  quota_sessions: 'You have a call open elsewhere. End it first.',
  quota_starts: 'Too many calls in a short time. Wait a minute.',
  session_limit: 'The call has reached its longest duration. Start a new one.',
  speaker_unsupported: 'The sound cannot go to that speaker. Choose it in the system’s settings.',
  superseded: 'The call goes on in another window.',
  too_large: 'That is too large to send. Send something smaller.',
  upstream_context_full: 'The conversation has become too long. Start a new one.',
  upstream_policy: 'The assistant may not talk about this. Try something else.',
  worklet_blocked: 'Audio is blocked by this page’s security policy. Tell the people who run it.',
};
const LATER = 'The service is busy. Try again in a moment.';
const SIGN_IN = 'You are not signed in any more. Sign in again.';
const ANY = 'Something went wrong. Start a new call.';

/** One English sentence that a user can act on. Importing this module gives it to every `VoiceError`'s `advice`. */
export function adviceOn({ code, retryable }: Pick<VoiceError, 'code' | 'retryable'>): string {
  if (Object.hasOwn(ADVICE, code)) return ADVICE[code] ?? ANY;
  if (code.startsWith('auth_') || code === 'token_failed') return SIGN_IN;
  return retryable ? LATER : ANY;
}

/** Messages for developers, of the codes that the client makes in more than one place or has nothing to add to. */
const SENTENCES: Readonly<Record<string, string>> = {
  aborted: 'given up by the app',
  auth_invalid: 'the token has characters that no token has: is it the text of a page?',
  audio_blocked: 'the browser wants a click before it plays or records',
  audio_interrupted: 'another app has the audio',
  connect_failed: 'the handshake failed: the server is down, the token forged, or this origin not allowed',
  connect_timeout: 'no answer in time',
  connection_lost: 'the connection broke',
  insecure_context: 'audio needs https or localhost',
  mic_lost: 'the device was disconnected, and no other could be opened',
  mic_silent: 'the device gives nothing but zeros',
  not_connected: 'there is no session',
  rate_limited: 'more text than the server takes at once: wait retryAfterMs',
  speaker_unsupported: 'this device, or choosing one, is not to be had here',
  token_failed: 'session.token threw or gave no text',
  too_large: 'the token is longer than a handshake carries',
  worklet_blocked: 'audioWorklet.addModule failed, by a Content-Security-Policy as a rule',
};

setAdvice(adviceOn, SENTENCES);
