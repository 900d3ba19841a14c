import { VoiceError } from './errors.js';
import type * as chunk from './ondemand/index.js';

export type Chunk = typeof chunk;

let loading: Promise<Chunk> | undefined;

/** Code that many calls never need: loaded at its first use. Rejects with VoiceError; the next use tries again. */
export function onDemand(): Promise<Chunk> {
  loading ??= import('./ondemand/index.js').catch((cause) => {
    loading = undefined;
    throw new VoiceError('connect_failed', '', { cause });
  });
  return loading;
}
