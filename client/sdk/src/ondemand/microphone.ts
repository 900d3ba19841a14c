import { type LocalCode, VoiceError } from '../errors.js';

const CODES: Record<string, LocalCode> = {
  NotAllowedError: 'mic_denied',
  SecurityError: 'mic_denied',
  NotFoundError: 'mic_not_found',
  OverconstrainedError: 'mic_not_found',
  NotReadableError: 'mic_in_use',
  AbortError: 'mic_in_use',
};

/** The browser gave no microphone: a TypeError where there are no devices. */
export function microphoneError(cause: Error): VoiceError {
  const other = globalThis.isSecureContext ? 'mic_unsupported' : 'insecure_context';
  return new VoiceError(CODES[cause.name] ?? other, cause.message, { cause });
}
