import type { Captured, CaptureOptions } from './messages.js';
import { Resampler } from './resampler.js';

const RATE_HZ = 16_000;

/** Microphone samples at the device's rate in, frames of 16 kHz s16le out. */
class Capture extends AudioWorkletProcessor {
  readonly #resampler = new Resampler(sampleRate, RATE_HZ);
  readonly #frameSamples: number;
  #frame: Int16Array<ArrayBuffer>;
  #filled = 0;
  #energy = 0;

  constructor({ processorOptions }: { processorOptions: CaptureOptions }) {
    super();
    this.#frameSamples = (RATE_HZ / 1000) * processorOptions.frameMs;
    this.#frame = new Int16Array(this.#frameSamples);
  }

  process([input]: Float32Array[][]): boolean {
    const samples = input?.[0];
    if (samples) for (const sample of this.#resampler.process(samples)) this.#take(Math.max(-1, Math.min(1, sample)));
    return true; // without a source too: the device may be changing
  }

  #take(sample: number): void {
    this.#energy += sample * sample;
    this.#frame[this.#filled] = Math.round(sample * 32767);
    this.#filled += 1;
    if (this.#filled < this.#frameSamples) return;
    const pcm = this.#frame.buffer;
    const captured: Captured = { pcm, level: Math.sqrt(this.#energy / this.#frameSamples) };
    this.port.postMessage(captured, [pcm]);
    this.#frame = new Int16Array(this.#frameSamples);
    this.#filled = 0;
    this.#energy = 0;
  }
}

registerProcessor('vivavoce-capture', Capture);
