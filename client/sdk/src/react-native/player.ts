import { VoiceError } from '../errors.js';
import type { PlaybackReport, PlayedUntil, Player } from '../index.js';
import type { NativeVoice } from './module.js';

/** The agent's voice through the native module. */
export class NativePlayer implements Player {
  readonly stream = null;
  level = 0;
  #last = { turn: 0, playedMs: 0, bufferedMs: 0 };
  readonly #module: NativeVoice;

  constructor(module: NativeVoice) {
    this.#module = module;
  }

  play(turn: number, pcm: ArrayBuffer): void {
    this.#module.play(turn, new Uint8Array(pcm));
  }

  finish(turn: number): void {
    this.#module.finish(turn);
  }

  /** A module that fails is taken at its last report. */
  async flush(turn: number): Promise<PlayedUntil> {
    const { playedMs, bufferedMs } = this.#last.turn === turn ? this.#last : { playedMs: 0, bufferedMs: 0 };
    const guess = { playedMs, droppedMs: bufferedMs };
    const flushed = await this.#module.flush(turn).catch(() => guess);
    this.level = 0;
    return { turn, playedMs: flushed.playedMs, droppedMs: flushed.droppedMs };
  }

  /** A phone plays without being asked. */
  async unlock(): Promise<void> {}

  setVolume(volume: number): void {
    this.#module.setVolume(volume);
  }

  async setDevice(deviceId: string | null): Promise<void> {
    try {
      await this.#module.setOutput(deviceId);
    } catch (cause) {
      throw new VoiceError('speaker_unsupported', (cause as Error).message, { cause });
    }
  }

  /** The module says how far it is. */
  played(report: PlaybackReport): void {
    this.#last = report;
    if (report.state === 'drained') this.level = 0;
  }
}
