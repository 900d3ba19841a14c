import { VoiceError } from './errors.js';

type OnDemand = typeof import('./ondemand/index.js');

let loading: Promise<OnDemand> | undefined;

/** What many calls never need: loaded at its first use. Rejects with VoiceError; the next use tries again. */
export function onDemand(): Promise<OnDemand> {
  loading ??= import('./ondemand/index.js').catch((cause) => {
    loading = undefined;
    throw new VoiceError('connect_failed', 'ondemand.js', { cause });
  });
  return loading;
}
