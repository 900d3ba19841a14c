import { adviceOn } from '../advice/index.js';
import type { VoiceError } from '../index.js';

/** Codes whose sentence for a page would lead astray on a phone. */
const ADVICE: Readonly<Record<string, string>> = {
  audio_blocked: 'The phone gives no sound. Close other apps that use it, and call again.',
  bad_options: 'This app is set up wrongly. Tell the people who make it.',
  mic_denied: 'Microphone access is off. Allow it for this app in the phone’s settings, then try again.',
  mic_lost: 'The microphone is gone. Call again.',
  mic_not_found: 'No microphone was found. Connect a headset that has one, and try again.',
  mic_unsupported: 'This app cannot use the microphone here. Update the app.',
  protocol_mismatch: 'This app is out of date. Update it.',
  speaker_unsupported: 'The sound cannot be sent there. Choose another device.',
  superseded: 'The call goes on in another place.',
};

/** One English sentence that someone with a phone can act on. */
export function adviceOnPhone(error: VoiceError): string {
  return ADVICE[error.code] ?? adviceOn(error);
}
