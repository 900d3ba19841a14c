import { VoiceError } from './errors.js';
import type * as chunk from './ondemand/index.js';

let loading: Promise<typeof chunk> | undefined;

/** Code that many calls never need: loaded at its first use. Rejects with VoiceError; the next use tries again. */
export function onDemand(): Promise<typeof chunk> {
  loading ??= import('./ondemand/index.js').catch((cause) => {
    loading = undefined;
    throw new VoiceError('connect_failed', '', { cause });
  });
  return loading;
}
