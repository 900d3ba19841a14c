import { BrowserEngine } from './audio/browser.js';
import type { AudioEngine, AudioEvents, AudioLevels, PlaybackReport } from './audio/engine.js';
import type { VoiceError } from './errors.js';
import type { Emitter } from './events.js';
import type { VoiceClientOptions } from './options.js';
import type { Store } from './state.js';

const SILENCE: AudioLevels = {
  input: 0,
  output: 0,
  inputSpectrum: (into) => into.fill(0),
  outputSpectrum: (into) => into.fill(0),
};

/** Owns the audio engine: makes it at the first gesture, hears what it says, gives it back. */
export class Sound {
  /** Where playback reports go while there is a call. */
  onPlayback: ((report: PlaybackReport) => void) | null = null;
  /** Audio cannot work at all. */
  onFailure: ((error: VoiceError) => void) | null = null;
  #engine: AudioEngine | null = null;
  readonly #options: () => VoiceClientOptions;
  readonly #store: Store;
  readonly #emitter: Emitter;
  #underruns = 0;

  constructor(options: () => VoiceClientOptions, store: Store, emitter: Emitter) {
    this.#options = options;
    this.#store = store;
    this.#emitter = emitter;
  }

  /** Null before the first gesture, after `close`, and without audio. */
  get engine(): AudioEngine | null {
    return this.#engine;
  }

  get levels(): AudioLevels {
    return this.#engine?.levels ?? SILENCE;
  }

  /** Inside the user's gesture. Null: the app wants no audio. */
  prepare(): AudioEngine | null {
    if (this.#engine) return this.#engine;
    this.#engine = this.make();
    this.#engine?.prepare(this.#events());
    const { volume, muted } = this.#store.state.speaker;
    this.#engine?.player.setVolume(muted ? 0 : volume);
    return this.#engine;
  }

  /** An engine that is not prepared, when there is none: good for looking at devices. Null: no audio wanted. */
  make(): AudioEngine | null {
    const { audio = {} } = this.#options();
    return this.#engine ?? (audio ? (audio.engine ?? new BrowserEngine(audio)) : null);
  }

  async close(): Promise<void> {
    const engine = this.#engine;
    this.#engine = null;
    this.#store.setSpeaker({ playing: false, interrupted: false, unlocked: true });
    await engine?.close();
  }

  #events(): AudioEvents {
    const store = this.#store;
    return {
      playback: (report) => {
        store.setSpeaker({ playing: report.state !== 'drained' });
        this.onPlayback?.(report);
      },
      underrun: (turn, prebufferMs) => {
        this.#underruns += 1;
        store.setMetrics({ underruns: this.#underruns });
        this.#emitter.emit('underrun', { turn, prebufferMs });
      },
      unlocked: (unlocked) => store.setSpeaker({ unlocked }),
      interrupted: (interrupted) => store.setSpeaker({ interrupted }),
      devices: (devices) => this.#emitter.emit('devicechange', devices),
      failed: (error) => {
        this.#emitter.emit('error', error);
        this.onFailure?.(error);
      },
    };
  }
}
