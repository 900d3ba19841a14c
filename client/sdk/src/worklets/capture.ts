import type { Captured, CaptureOptions } from './messages.js';
import { register } from './processor.js';
import { Resampler } from './resampler.js';

const RATE_HZ = 16_000;

/** Microphone samples at the device's rate in, frames of 16 kHz s16le out. */
class Capture {
  #samples: number[] = []; //: of the next frame
  readonly #frameSamples: number;
  readonly #port: MessagePort;
  readonly #resampler = new Resampler(sampleRate, RATE_HZ);

  constructor({ frameMs }: CaptureOptions, port: MessagePort) {
    this.#port = port;
    this.#frameSamples = (RATE_HZ / 1000) * frameMs;
  }

  render(input: Float32Array | undefined): void {
    if (!input) return;
    for (const sample of this.#resampler.process(input)) {
      this.#samples.push(Math.max(-1, Math.min(1, sample)));
      if (this.#samples.length === this.#frameSamples) this.#post();
    }
  }

  #post(): void {
    const pcm = Int16Array.from(this.#samples, (sample) => Math.round(sample * 32767)).buffer;
    const energy = this.#samples.reduce((sum, sample) => sum + sample * sample, 0);
    const captured: Captured = { pcm, level: Math.sqrt(energy / this.#frameSamples) };
    this.#port.postMessage(captured, [pcm]);
    this.#samples = [];
  }
}

register('vivavoce-capture', (options: CaptureOptions, port) => new Capture(options, port));
