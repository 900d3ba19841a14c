import type { Host } from './host.js';
import type { Mic } from './mic.js';
import type { Sound } from './sound.js';
import type { Toolbox } from './toolbox.js';

/** Parts of its client that a call uses, with the options it began with. */
export interface CallHost extends Readonly<Host> {
  readonly sound: Sound;
  readonly mic: Mic;
  readonly toolbox: Toolbox;
  /** The call is over: another may begin, also from within what its end sets off. */
  released(): void;
}
