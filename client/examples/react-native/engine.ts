import {
  type AudioDevices,
  type AudioEngine,
  type AudioEvents,
  type AudioLevels,
  type MicInfo,
  type Microphone,
  type MicrophoneEvents,
  type MicOptions,
  type PlayedUntil,
  type Player,
  VoiceError,
} from 'vivavoce';
import { decode, encode } from './base64';
import { listen, native } from './native';

/** The phone's audio behind the interface that the browser's engine has, too. */
export class NativeEngine implements AudioEngine {
  readonly microphone: Microphone;
  readonly player: Player;
  readonly levels: AudioLevels;
  #stop: (() => void)[] = [];
  #level = 0;

  constructor() {
    const level = () => this.#level;
    this.microphone = new NativeMicrophone((value) => {
      this.#level = value;
    });
    this.player = new NativePlayer();
    this.levels = {
      get input() {
        return level();
      },
      output: 0,
      inputSpectrum: (into) => into.fill(0),
      outputSpectrum: (into) => into.fill(0),
    };
  }

  prepare(events: AudioEvents): void {
    this.#stop = [
      listen('playback', (report) => events.playback(report)),
      listen('interrupted', ({ isInterrupted }) => events.interrupted(isInterrupted)),
    ];
  }

  async ready(): Promise<void> {}

  async devices(): Promise<AudioDevices> {
    return { inputs: [], outputs: [], labelled: false }; // the phone routes by itself
  }

  async close(): Promise<void> {
    for (const stop of this.#stop) stop();
    this.#stop = [];
    await this.microphone.close();
  }
}

class NativeMicrophone implements Microphone {
  readonly stream = null;
  #stop: (() => void) | null = null;
  readonly #onLevel: (level: number) => void;

  constructor(onLevel: (level: number) => void) {
    this.#onLevel = onLevel;
  }

  async open(_: MicOptions, events: MicrophoneEvents): Promise<MicInfo> {
    await this.close();
    try {
      await native.startRecording();
    } catch (cause) {
      const isDenied = (cause as { code?: string }).code === 'denied';
      throw new VoiceError(isDenied ? 'mic_denied' : 'mic_in_use', '', { cause });
    }
    this.#stop = listen('frame', ({ pcm, level }) => {
      this.#onLevel(level);
      events.frame(decode(pcm));
    });
    return {};
  }

  async close(): Promise<void> {
    if (!this.#stop) return;
    this.#stop();
    this.#stop = null;
    this.#onLevel(0);
    await native.stopRecording();
  }
}

class NativePlayer implements Player {
  readonly stream = null;

  play(turn: number, pcm: ArrayBuffer): void {
    native.play(turn, encode(pcm));
  }

  finish(turn: number): void {
    native.finish(turn);
  }

  async flush(turn: number): Promise<PlayedUntil> {
    return { turn, ...(await native.flush(turn)) };
  }

  async unlock(): Promise<void> {}

  setVolume(volume: number): void {
    native.setVolume(volume);
  }

  async setDevice(): Promise<void> {
    throw new VoiceError('speaker_unsupported');
  }
}
