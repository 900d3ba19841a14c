import type {
  AudioDevices,
  AudioEngine,
  AudioEvents,
  AudioLevels,
  MicInfo,
  MicOptions,
  Microphone,
  MicrophoneEvents,
  PlayedUntil,
  Player,
} from '../index.js';

const PCM_BYTES_PER_MS = 48; //: 24 kHz, 16 bit

/** A microphone into which the test speaks. */
export class FakeMicrophone implements Microphone {
  readonly stream = null;
  isOpen = false;
  /** Options of the last `open`. */
  options: MicOptions | null = null;
  /** Set it to refuse the next `open`: a VoiceError, as the browser's engine would throw. */
  refusal: Error | null = null;
  #events: MicrophoneEvents | null = null;

  async open(options: MicOptions, events: MicrophoneEvents): Promise<MicInfo> {
    this.options = options;
    if (this.refusal) throw this.refusal;
    this.#events = events;
    this.isOpen = true;
    return { deviceId: options.deviceId ?? 'default', label: 'Fake microphone' };
  }

  async close(): Promise<void> {
    this.isOpen = false;
  }

  /** `ms` of sound, in frames of 20 ms; each sample is `value`. */
  speak(ms: number, value = 1): void {
    for (let at = 0; at < ms; at += 20) if (this.isOpen) this.#events?.frame(new Int16Array(320).fill(value).buffer);
  }

  get events(): MicrophoneEvents {
    if (!this.#events) throw new Error('The microphone was never opened.');
    return this.#events;
  }
}

/** A loudspeaker that plays only when the test lets time pass. */
export class FakePlayer implements Player {
  readonly stream = null;
  volume = 1;
  /** Every frame that was queued, in order. */
  readonly played: { readonly turn: number; readonly ms: number }[] = [];
  #queue: { turn: number; queuedMs: number; playedMs: number; isFinished: boolean }[] = [];
  #finished = 0;
  readonly #report: () => AudioEvents | null;

  constructor(report: () => AudioEvents | null) {
    this.#report = report;
  }

  play(turn: number, pcm: ArrayBuffer): void {
    const ms = pcm.byteLength / PCM_BYTES_PER_MS;
    this.played.push({ turn, ms });
    const last = this.#queue.at(-1);
    if (last?.turn === turn) last.queuedMs += ms;
    else this.#queue.push({ turn, queuedMs: ms, playedMs: 0, isFinished: turn <= this.#finished });
  }

  finish(turn: number): void {
    this.#finished = Math.max(this.#finished, turn);
    for (const entry of this.#queue) if (entry.turn <= turn) entry.isFinished = true;
    this.advance(0);
  }

  async flush(turn: number): Promise<PlayedUntil> {
    const entry = this.#queue.find((queued) => queued.turn === turn);
    this.#queue = this.#queue.filter((queued) => queued.turn > turn);
    if (!entry) return { turn, playedMs: 0, droppedMs: 0 };
    return { turn, playedMs: entry.playedMs, droppedMs: entry.queuedMs - entry.playedMs };
  }

  async unlock(): Promise<void> {
    this.#report()?.unlocked(true);
  }

  setVolume(volume: number): void {
    this.volume = volume;
  }

  async setDevice(): Promise<void> {}

  /** Let `ms` sound. */
  advance(ms: number): void {
    for (let left = ms, entry = this.#queue[0]; entry; entry = this.#queue[0]) {
      const { turn, queuedMs, playedMs } = entry;
      const heard = Math.min(left, queuedMs - playedMs);
      if (playedMs === 0 && heard > 0) this.#emit(turn, 'started', 0, queuedMs);
      entry.playedMs += heard;
      left -= heard;
      const isDry = entry.playedMs >= queuedMs;
      if (heard > 0) this.#emit(turn, 'progress', entry.playedMs, queuedMs - entry.playedMs);
      if (!isDry || !entry.isFinished) return;
      this.#emit(turn, 'drained', entry.playedMs, 0);
      this.#queue.shift();
    }
  }

  #emit(turn: number, state: 'started' | 'progress' | 'drained', playedMs: number, bufferedMs: number): void {
    this.#report()?.playback({ turn, state, playedMs, bufferedMs });
  }
}

/** An audio engine without audio. */
export class FakeEngine implements AudioEngine {
  readonly microphone = new FakeMicrophone();
  readonly player = new FakePlayer(() => this.events);
  readonly levels: AudioLevels = {
    input: 0,
    output: 0,
    inputSpectrum: (into) => into.fill(0),
    outputSpectrum: (into) => into.fill(0),
  };
  /** Receiver of the engine's events, while it is prepared. */
  events: AudioEvents | null = null;
  /** Set it to make `ready` reject. */
  failure: Error | null = null;

  prepare(events: AudioEvents): void {
    this.events = events;
  }

  async ready(): Promise<void> {
    if (this.failure) throw this.failure;
  }

  async devices(): Promise<AudioDevices> {
    return { inputs: [], outputs: [], labelled: false };
  }

  async close(): Promise<void> {
    this.events = null;
    this.microphone.isOpen = false;
  }
}
