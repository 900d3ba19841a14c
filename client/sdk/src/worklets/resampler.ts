const ZEROS = 20; //: of the sinc on each side: 132 taps at 48 kHz to 16 kHz
const ROLLOFF = 0.92; //: of the lower rate's band; what lies above would fold back

/** By the ratio of the rates. Made once: at odd rates that takes the audio thread longer than a quantum lasts. */
const TABLES: Record<number, readonly Float32Array[]> = {};

/** Streaming windowed-sinc resampler for any two integer rates, mono. Keeps its phase between calls. */
export class Resampler {
  /** Input samples of look-ahead: so many zeros at the end bring out the last of the sound. */
  readonly tail: number;
  #phase = 0;
  #kept: Float32Array; //: input that is still needed
  readonly #up: number;
  readonly #down: number;
  readonly #rows: readonly Float32Array[]; //: taps of each phase

  constructor(fromHz: number, toHz: number) {
    const common = divisor(fromHz, toHz);
    this.#up = toHz / common;
    this.#down = fromHz / common;
    const scale = Math.min(1, toHz / fromHz) * ROLLOFF;
    this.tail = Math.ceil(ZEROS / scale);
    this.#rows = TABLES[fromHz / toHz] ??= Array.from({ length: this.#up }, (_, phase) =>
      taps(phase / this.#up, this.tail, scale),
    );
    this.#kept = new Float32Array(this.tail - 1); // zeros before the first sample: output is aligned with input
  }

  /** All output that `samples` complete. */
  process(samples: Float32Array): Float32Array {
    const input = new Float32Array(this.#kept.length + samples.length);
    input.set(this.#kept);
    input.set(samples, this.#kept.length);
    const output = new Float32Array(Math.ceil((samples.length * this.#up) / this.#down) + 1);
    const length = 2 * this.tail;
    let count = 0;
    let at = 0;
    while (at + length <= input.length) {
      const row = this.#rows[this.#phase] as Float32Array;
      let sum = 0;
      for (let tap = 0; tap < length; tap += 1) sum += (row[tap] as number) * (input[at + tap] as number);
      output[count] = sum;
      count += 1;
      this.#phase += this.#down;
      at += Math.floor(this.#phase / this.#up);
      this.#phase %= this.#up;
    }
    this.#kept = input.subarray(at);
    return output.subarray(0, count);
  }
}

/** Taps at `shift` of a sample, with a gain of one at zero hertz. Hann's window, squared: 80 dB down at 9 kHz. */
function taps(shift: number, half: number, scale: number): Float32Array {
  return new Float32Array(2 * half).map((_, tap) => {
    const distance = tap - half + 1 - shift;
    const hann = 1 + Math.cos((Math.PI * distance) / half);
    return (sinc(distance * scale) * scale * hann * hann) / 4;
  });
}

function sinc(x: number): number {
  return x ? Math.sin(Math.PI * x) / (Math.PI * x) : 1;
}

function divisor(a: number, b: number): number {
  return b ? divisor(b, a % b) : a;
}
