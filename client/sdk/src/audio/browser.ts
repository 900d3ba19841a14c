import { VoiceError } from '../errors.js';
import type { AudioOptions } from '../options.js';
import type { AudioDevices, AudioEngine, AudioEvents, AudioLevels, Microphone, Player } from './engine.js';

/** The browser's audio. */
export class BrowserEngine implements AudioEngine {
  declare readonly microphone: Microphone;
  declare readonly player: Player;
  declare readonly levels: AudioLevels;

  constructor(options: AudioOptions) {
    void options;
  }
  prepare(events: AudioEvents): void {
    void events;
    throw new VoiceError('mic_unsupported');
  }
  async ready(): Promise<void> {}
  async devices(): Promise<AudioDevices> {
    return { inputs: [], outputs: [], labelled: false };
  }
  async close(): Promise<void> {}
}
