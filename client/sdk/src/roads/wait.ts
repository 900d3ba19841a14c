import { VoiceError } from '../errors.js';

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

export function aborted(): VoiceError {
  return new VoiceError('aborted', '', { fatal: true });
}

/** `signal.throwIfAborted()`, which React Native lacks. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw aborted();
}
