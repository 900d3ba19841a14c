import type { Captured, CaptureOptions } from './messages.js';
import { Resampler } from './resampler.js';

const RATE_HZ = 16_000;

/** Microphone samples at the device's rate in, frames of 16 kHz s16le out. */
class Capture extends AudioWorkletProcessor {
  #samples: number[] = []; //: of the next frame
  readonly #frameSamples: number;
  readonly #resampler = new Resampler(sampleRate, RATE_HZ);

  constructor({ processorOptions: { frameMs } }: { processorOptions: CaptureOptions }) {
    super();
    this.#frameSamples = (RATE_HZ / 1000) * frameMs;
  }

  process([input]: Float32Array[][]): boolean {
    const samples = input?.[0];
    for (const sample of samples ? this.#resampler.process(samples) : []) {
      this.#samples.push(Math.max(-1, Math.min(1, sample)));
      if (this.#samples.length === this.#frameSamples) this.#post();
    }
    return true; // without a source too: the device may be changing
  }

  #post(): void {
    const pcm = Int16Array.from(this.#samples, (sample) => Math.round(sample * 32767)).buffer;
    const energy = this.#samples.reduce((sum, sample) => sum + sample * sample, 0);
    const captured: Captured = { pcm, level: Math.sqrt(energy / this.#frameSamples) };
    this.port.postMessage(captured, [pcm]);
    this.#samples = [];
  }
}

registerProcessor('vivavoce-capture', Capture);
