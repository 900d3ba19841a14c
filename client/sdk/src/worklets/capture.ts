import type { Captured, CaptureOptions } from './messages.js';
import { register } from './processor.js';
import { Resampler } from './resampler.js';

const RATE_HZ = 16_000;

/** Microphone samples at the device's rate in, frames of 16 kHz s16le out. */
class Capture {
  #filled = 0;
  #energy = 0;
  #frame: Int16Array<ArrayBuffer>;
  readonly #frameSamples: number;
  readonly #port: MessagePort;
  readonly #resampler = new Resampler(sampleRate, RATE_HZ);

  constructor({ frameMs }: CaptureOptions, port: MessagePort) {
    this.#port = port;
    this.#frameSamples = (RATE_HZ / 1000) * frameMs;
    this.#frame = new Int16Array(this.#frameSamples);
  }

  render(input: Float32Array | undefined): void {
    if (input) for (const sample of this.#resampler.process(input)) this.#take(Math.max(-1, Math.min(1, sample)));
  }

  #take(sample: number): void {
    this.#energy += sample * sample;
    this.#frame[this.#filled] = Math.round(sample * 32767);
    this.#filled += 1;
    if (this.#filled < this.#frameSamples) return;
    const pcm = this.#frame.buffer;
    const captured: Captured = { pcm, level: Math.sqrt(this.#energy / this.#frameSamples) };
    this.#port.postMessage(captured, [pcm]);
    this.#frame = new Int16Array(this.#frameSamples);
    this.#filled = 0;
    this.#energy = 0;
  }
}

register('vivavoce-capture', (options: CaptureOptions, port) => new Capture(options, port));
