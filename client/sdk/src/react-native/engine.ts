import { VoiceError } from '../errors.js';
import type { AudioDevices, AudioEngine, AudioEvents, AudioLevels } from '../index.js';
import { NativeMicrophone } from './microphone.js';
import type { NativeDevice, NativeRoutes, NativeVoice, NativeVoiceEvents } from './module.js';
import { NativePlayer } from './player.js';

/** The part of React Native's `AppState` that is used here. */
export interface AppStates {
  readonly currentState: string;
  addEventListener(event: 'change', listener: (state: string) => void): { remove(): void };
}

export interface NativeEngineOptions {
  /** React Native's `AppState`. */
  readonly app?: AppStates | undefined;
  /**
   * `keep`: the microphone stays open behind other apps and the lock screen, which the phone allows only with
   * background audio (iOS) and a foreground service (Android). Default pause.
   */
  readonly inBackground?: 'keep' | 'pause' | undefined;
}

/** The phone's audio, through a native module. */
export class NativeEngine implements AudioEngine {
  readonly microphone: NativeMicrophone;
  readonly player: NativePlayer;
  readonly levels: AudioLevels;
  #prepared: Promise<void> = Promise.resolve();
  #listening: { remove(): void }[] = [];
  readonly #module: NativeVoice;
  readonly #options: NativeEngineOptions;

  constructor(module: NativeVoice, options: NativeEngineOptions = {}) {
    this.#module = module;
    this.#options = options;
    const microphone = new NativeMicrophone(module, () => this.#prepared, options.inBackground === 'keep');
    const player = new NativePlayer(module);
    this.microphone = microphone;
    this.player = player;
    this.levels = {
      get input() {
        return microphone.level;
      },
      get output() {
        return player.level;
      },
      inputSpectrum: (into) => into.fill(0),
      outputSpectrum: (into) => into.fill(0),
    };
  }

  prepare(events: AudioEvents): void {
    this.#listen(events);
    this.#prepared = this.#module.prepare().catch((cause) => {
      throw new VoiceError('audio_interrupted', (cause as Error).message, { cause });
    });
    this.#prepared.catch(() => {}); // its awaiters get the error
  }

  async ready(): Promise<void> {
    await this.#prepared;
  }

  async devices(): Promise<AudioDevices> {
    return devicesOf(await this.#module.routes());
  }

  async close(): Promise<void> {
    for (const listener of this.#listening) listener.remove();
    this.#listening = [];
    await this.microphone.close();
    await this.#prepared.catch(() => {});
    await this.#module.release();
  }

  #listen(events: AudioEvents): void {
    const { microphone, player } = this;
    const on = <E extends keyof NativeVoiceEvents>(event: E, listener: NativeVoiceEvents[E]) =>
      this.#listening.push(this.#module.addListener(event, listener));
    on('onFrame', ({ pcm }) => microphone.hear(pcm));
    on('onPlayed', (report) => {
      player.played(report);
      events.playback(report);
    });
    on('onUnderrun', ({ turn, prebufferMs }) => events.underrun(turn, prebufferMs));
    on('onLevel', ({ output }) => {
      player.level = output;
    });
    on('onRoute', (routes) => {
      microphone.routed(routes);
      events.devices(devicesOf(routes));
    });
    on('onFocus', ({ isOurs }) => {
      events.interrupted(!isOurs);
      void microphone.hold('focus', !isOurs);
    });
    on('onLost', ({ message }) => microphone.lost(message));
    void microphone.hold('focus', false);
    this.#followApp();
  }

  #followApp(): void {
    const { app, inBackground = 'pause' } = this.#options;
    if (!app || inBackground === 'keep') return;
    // `inactive` is iOS's word for a moment: a question of the system's, the switch between apps.
    const follow = (state: string) => {
      if (state !== 'inactive') void this.microphone.hold('background', state === 'background');
    };
    this.#listening.push(app.addEventListener('change', follow));
    follow(app.currentState);
  }
}

function devicesOf({ inputs, outputs }: NativeRoutes): AudioDevices {
  const of = ({ id: deviceId, label }: NativeDevice) => ({ deviceId, label });
  return { inputs: inputs.map(of), outputs: outputs.map(of), labelled: true };
}
