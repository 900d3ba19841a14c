import { BrowserEngine } from './audio/browser.js';
import type { AudioDevices, AudioEngine, AudioEvents, AudioLevels, PlaybackReport } from './audio/engine.js';
import { toVoiceError, VoiceError } from './errors.js';
import type { Host } from './host.js';
import { onDemand } from './ondemand.js';
import type { SpeakerControls } from './options.js';

const LOUDEST = 4; //: twelve decibels: enough for a phone that plays quietly while its microphone is open

const SILENCE: AudioLevels = {
  input: 0,
  output: 0,
  inputSpectrum: (into) => into.fill(0),
  outputSpectrum: (into) => into.fill(0),
};

export interface SoundListener {
  played(report: PlaybackReport): void;
  /** Audio cannot work at all. */
  failed(error: VoiceError): void;
}

/** Owns the audio engine: makes it at the first gesture, handles its events, releases it. The app's speaker. */
export class Sound implements SpeakerControls {
  /** Set during a call. */
  listener: SoundListener | null = null;
  /** Null before the first gesture, after `close`, and without audio. */
  engine: AudioEngine | null = null;
  /** Set while an engine of the app's own closes: it is one object, and must not be prepared before it has closed. */
  closing: Promise<unknown> | null = null;
  #chosen: string | null | undefined; //: by the user, in place of the app's wish
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  get levels(): AudioLevels {
    return this.engine?.levels ?? SILENCE;
  }

  /** Inside the user's gesture. Null: the app wants no audio. */
  prepare(): AudioEngine | null {
    if (this.engine) return this.engine;
    this.engine = this.make();
    this.engine?.prepare(this.#events());
    this.#apply();
    return this.engine;
  }

  /** An engine that is not prepared, when there is none: good for looking at devices. Null: no audio wanted. */
  make(): AudioEngine | null {
    const { audio = {} } = this.#host.options;
    return this.engine ?? (audio ? (audio.engine ?? new BrowserEngine(audio)) : null);
  }

  get stream(): MediaStream | null {
    return this.engine?.player.stream ?? null;
  }

  async unlock(): Promise<void> {
    await this.prepare()?.player.unlock();
  }

  setMuted(muted: boolean): void {
    this.#host.store.setSpeaker({ muted });
    this.#apply();
  }

  setVolume(volume: number): void {
    if (!Number.isFinite(volume)) return;
    this.#host.store.setSpeaker({ volume: Math.min(LOUDEST, Math.max(0, volume)) });
    this.#apply();
  }

  async setDevice(deviceId: string | null): Promise<void> {
    await this.engine?.player.setDevice(deviceId);
    this.#choose(deviceId);
  }

  /** Resolves when audio can flow, to the chosen device if that can be had. Rejects with VoiceError. */
  async ready(engine: AudioEngine): Promise<void> {
    await engine.ready();
    const { options, emitter } = this.#host;
    const deviceId = this.#chosen === undefined ? (options.audio || {}).speaker?.deviceId : this.#chosen;
    if (!deviceId) return;
    await this.setDevice(deviceId).catch((thrown) => {
      this.#choose(undefined);
      emitter.emit('error', toVoiceError(thrown, 'speaker_unsupported'));
    });
  }

  /** Detach the engine at once, and release it when `first` has settled. Never rejects. */
  async close(first?: Promise<unknown>): Promise<void> {
    const { engine } = this;
    this.engine = null;
    this.#host.store.setSpeaker({ playing: false, interrupted: false, unlocked: true });
    const closed = Promise.allSettled([first]).then(() => engine?.close());
    if (engine && engine === (this.#host.options.audio || {}).engine) this.closing = closed;
    await closed.catch(() => {});
    if (this.closing === closed) this.closing = null;
  }

  #choose(deviceId: string | null | undefined): void {
    this.#chosen = deviceId;
    this.#host.store.setSpeaker({ deviceId: deviceId ?? undefined });
  }

  /** Take the system's choice where the chosen device is not there any more. */
  #check(seen?: AudioDevices): void {
    const { store } = this.#host;
    if (store.state.speaker.deviceId) onDemand().then((chunk) => chunk.checkSpeaker(this, store, seen)).catch(() => {});
  }

  #apply(): void {
    const { volume, muted } = this.#host.store.state.speaker;
    this.engine?.player.setVolume(muted ? 0 : volume);
  }

  #events(): AudioEvents {
    const { store, emitter } = this.#host;
    return {
      playback: (report) => {
        store.setSpeaker({ playing: report.state !== 'drained' });
        // Firefox says nothing of a device that came and went within a moment, and plays to nobody.
        if (report.state === 'started') this.#check();
        store.setMetrics({ bufferedMs: Math.round(report.bufferedMs) });
        this.listener?.played(report);
      },
      underrun: (turn, prebufferMs) => {
        store.setMetrics({ underruns: store.state.metrics.underruns + 1 });
        emitter.emit('underrun', { turn, prebufferMs });
      },
      unlocked: (unlocked) => {
        const { speaker } = store.state;
        store.setSpeaker({ unlocked });
        if (!unlocked && speaker.unlocked) emitter.emit('error', new VoiceError('audio_blocked'));
      },
      interrupted: (interrupted) => store.setSpeaker({ interrupted }),
      devices: (devices) => {
        this.#check(devices); // as they are: Chromium loses a context that is changed a moment after its device has gone
        emitter.emit('devicechange', devices);
      },
      failed: (error) => {
        emitter.emit('error', error);
        this.listener?.failed(error);
      },
    };
  }
}
