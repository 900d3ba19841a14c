import type { Emitter } from './events.js';
import type { VoiceClientOptions } from './options.js';
import type { Store } from './state.js';

/** State shared by the parts of a client. */
export interface Host {
  /** Read at their next use: the app may change them. */
  options: VoiceClientOptions;
  readonly store: Store;
  readonly emitter: Emitter;
}
