import type { AudioEvents, PlaybackReport } from '../index.js';
import type {
  NativeFailure,
  NativeMicOptions,
  NativeRoutes,
  NativeVoice,
  NativeVoiceEvents,
} from '../react-native/index.js';
import { FakePlayer } from './engine.js';

const FRAME_BYTES = 640; //: 20 ms at 16 kHz

const HANDSET: NativeRoutes = {
  inputs: [{ id: 'mic', label: 'Microphone' }],
  outputs: [{ id: 'speaker', label: 'Speaker' }],
  input: 'mic',
  output: 'speaker',
};

/** A phone's audio without a phone: what a native module does for `NativeEngine`. */
export class FakePhone implements NativeVoice {
  isPrepared = false;
  isRecording = false;
  /** False during a phone call. */
  isOurs = true;
  volume = 1;
  /** Options of the last `start`. */
  options: NativeMicOptions | null = null;
  /** Set it to refuse `prepare` or `start` from now on. */
  readonly refuses: { prepare: NativeFailure | null; start: NativeFailure | null } = { prepare: null, start: null };
  /** Plays only when the test lets time pass: `player.advance(ms)`. */
  readonly player = new FakePlayer(() => this.#reports);
  #present = HANDSET;
  readonly #reports = { playback: (report: PlaybackReport) => this.#say('onPlayed', report) } as AudioEvents;
  readonly #listeners = new Map<keyof NativeVoiceEvents, Set<(event: never) => void>>();

  async prepare(): Promise<void> {
    this.#refuse(this.refuses.prepare);
    this.isPrepared = true;
  }

  async release(): Promise<void> {
    this.isPrepared = false;
    this.isRecording = false;
  }

  async start(options: NativeMicOptions): Promise<NativeRoutes> {
    this.options = options;
    this.#refuse(this.refuses.start ?? (this.isOurs ? null : 'in_use'));
    this.isRecording = true;
    return this.#present;
  }

  async stop(): Promise<void> {
    this.isRecording = false;
  }

  play(turn: number, pcm: Uint8Array<ArrayBuffer>): void {
    this.player.play(turn, pcm.buffer);
  }

  finish(turn: number): void {
    this.player.finish(turn);
  }

  async flush(turn: number): Promise<{ playedMs: number; droppedMs: number }> {
    return this.player.flush(turn);
  }

  setVolume(volume: number): void {
    this.volume = volume;
  }

  async routes(): Promise<NativeRoutes> {
    return this.#present;
  }

  async setOutput(id: string | null): Promise<void> {
    const output = id ?? this.#present.outputs[0]?.id ?? '';
    if (!this.#present.outputs.some((device) => device.id === output)) this.#refuse('not_found');
    this.#present = { ...this.#present, output };
  }

  addListener<E extends keyof NativeVoiceEvents>(event: E, listener: NativeVoiceEvents[E]): { remove(): void } {
    const all = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, all.add(listener));
    return { remove: () => void all.delete(listener) };
  }

  /** Sound for the microphone: s16le, 16 kHz, in frames of 20 ms. Unheard while it is closed. */
  speak(pcm: Uint8Array): void {
    for (let at = 0; at + FRAME_BYTES <= pcm.length; at += FRAME_BYTES)
      if (this.isRecording) this.#say('onFrame', { pcm: Uint8Array.from(pcm.subarray(at, at + FRAME_BYTES)) });
  }

  /** The agent's voice gets louder or softer. */
  sound(output: number): void {
    this.#say('onLevel', { output });
  }

  /** A phone call begins: another app has the audio. */
  ring(): void {
    this.isOurs = false;
    this.isRecording = false;
    this.#say('onFocus', { isOurs: false });
  }

  /** The phone call is over. */
  hangUp(): void {
    this.isOurs = true;
    this.#say('onFocus', { isOurs: true });
  }

  /** Other devices are in use: a headset was switched on. */
  reroute(routes: NativeRoutes): void {
    this.#present = routes;
    this.#say('onRoute', routes);
  }

  /** The microphone is closed for good. */
  lose(message: string): void {
    this.isRecording = false;
    this.#say('onLost', { message });
  }

  #say<E extends keyof NativeVoiceEvents>(event: E, data: Parameters<NativeVoiceEvents[E]>[0]): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(data as never);
  }

  #refuse(code: NativeFailure | null): void {
    if (code) throw Object.assign(new Error(`the phone says ${code}`), { code });
  }
}
