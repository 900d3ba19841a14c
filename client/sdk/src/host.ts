import type { Emitter } from './events.js';
import type { VoiceClientOptions } from './options.js';
import type { Store } from './state.js';

/** What the parts of a client share. */
export interface Host {
  /** Read at their next use: the app may change them. */
  options: VoiceClientOptions;
  readonly store: Store;
  readonly emitter: Emitter;
}
