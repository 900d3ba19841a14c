import type { PlayedUntil } from './audio/engine.js';
import type { Connected } from './client.js';
import { VoiceError } from './errors.js';
import type { Emitter } from './events.js';
import type { Mic } from './mic.js';
import type { VoiceClientOptions } from './options.js';
import type { ClientMessage } from './protocol/wire.js';
import type { Sound } from './sound.js';
import type { Store } from './state.js';
import type { Toolbox } from './toolbox.js';

/** What a call uses of its client. */
export interface Host {
  readonly options: VoiceClientOptions;
  readonly store: Store;
  readonly emitter: Emitter;
  readonly sound: Sound;
  readonly mic: Mic;
  readonly toolbox: Toolbox;
}

/** One session, from the click to its end. */
export class Call {
  readonly joined: Promise<Connected> = Promise.reject(new VoiceError('not_connected'));
  readonly over: Promise<void> = Promise.resolve();
  resumeToken: string | undefined;

  constructor(host: Host) {
    void host;
  }
  begin(resume: string | undefined): void {
    void resume;
  }
  abort(): void {}
  async end(reason?: string): Promise<void> {
    void reason;
  }
  send(message: ClientMessage): void {
    void message;
  }
  sendText(text: string, respond: boolean): void {
    this.send({ type: 'text', text, respond });
  }
  async interrupt(): Promise<PlayedUntil | null> {
    return null;
  }
}
