import type { Emitter } from './events.js';
import type { Mic } from './mic.js';
import type { VoiceClientOptions } from './options.js';
import type { Sound } from './sound.js';
import type { Store } from './state.js';
import type { Toolbox } from './toolbox.js';

/** What the parts of a client share. */
export interface Host {
  /** Read at their next use: the app may change them. */
  options: VoiceClientOptions;
  readonly store: Store;
  readonly emitter: Emitter;
}

/** What a call uses of its client, with the options it began with. */
export interface CallHost extends Readonly<Host> {
  readonly sound: Sound;
  readonly mic: Mic;
  readonly toolbox: Toolbox;
  /** The call is over: another may begin, also from within what its end sets off. */
  released(): void;
}
