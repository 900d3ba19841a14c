const ZEROS = 16; //: of the sinc on each side: 104 taps at 48 kHz to 16 kHz
const ROLLOFF = 0.94; //: of the lower rate's band; what lies above would fold back
const BETA = 8; //: of the Kaiser window: at least 80 dB down outside the band

/** Streaming windowed-sinc resampler for any two integer rates, mono. Keeps its phase between calls. */
export class Resampler {
  /** Input samples of look-ahead: so many zeros at the end bring out the last of the sound. */
  readonly tail: number;
  readonly #up: number;
  readonly #down: number;
  readonly #taps: number;
  readonly #table: Float32Array; //: [phase][tap]
  #input: Float32Array;
  #filled: number;
  #at = 0;
  #phase = 0;

  constructor(fromHz: number, toHz: number) {
    const common = divisor(fromHz, toHz);
    this.#up = toHz / common;
    this.#down = fromHz / common;
    const scale = Math.min(1, toHz / fromHz) * ROLLOFF;
    this.tail = Math.ceil(ZEROS / scale);
    this.#taps = 2 * this.tail;
    this.#table = kernel(this.#up, this.tail, scale);
    this.#input = new Float32Array(4096);
    this.#filled = this.tail - 1; // zeros before the first sample: output is aligned with input
  }

  /** All output that `samples` complete. Its memory is used again by the caller's next array. */
  process(samples: Float32Array): Float32Array {
    this.#append(samples);
    const taps = this.#taps;
    const table = this.#table;
    const input = this.#input;
    const output = new Float32Array(Math.ceil((samples.length * this.#up) / this.#down) + 1);
    let count = 0;
    while (this.#at + taps <= this.#filled) {
      const row = this.#phase * taps;
      let sum = 0;
      for (let tap = 0; tap < taps; tap += 1) sum += (table[row + tap] as number) * (input[this.#at + tap] as number);
      output[count] = sum;
      count += 1;
      this.#phase += this.#down;
      this.#at += Math.floor(this.#phase / this.#up);
      this.#phase %= this.#up;
    }
    return output.subarray(0, count);
  }

  #append(samples: Float32Array): void {
    this.#input.copyWithin(0, this.#at, this.#filled);
    this.#filled -= this.#at;
    this.#at = 0;
    if (this.#filled + samples.length > this.#input.length) {
      const wider = new Float32Array(2 * (this.#filled + samples.length));
      wider.set(this.#input);
      this.#input = wider;
    }
    this.#input.set(samples, this.#filled);
    this.#filled += samples.length;
  }
}

/** One row of taps for each phase, each with a gain of one at zero hertz. */
function kernel(phases: number, half: number, scale: number): Float32Array {
  const taps = 2 * half;
  const table = new Float32Array(phases * taps);
  for (let phase = 0; phase < phases; phase += 1) {
    const row = table.subarray(phase * taps, (phase + 1) * taps);
    for (let tap = 0; tap < taps; tap += 1) {
      const distance = tap - half + 1 - phase / phases;
      const inside = 1 - (distance / half) ** 2;
      row[tap] = inside > 0 ? sinc(distance * scale) * bessel(BETA * Math.sqrt(inside)) : 0;
    }
    const sum = row.reduce((all, value) => all + value);
    for (let tap = 0; tap < taps; tap += 1) row[tap] = (row[tap] as number) / sum;
  }
  return table;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** The modified Bessel function of order zero, by its series. */
function bessel(x: number): number {
  let sum = 1;
  for (let term = 1, k = 1; k < 32; k += 1) {
    term *= (x / 2 / k) ** 2;
    sum += term;
  }
  return sum;
}

function divisor(a: number, b: number): number {
  return b ? divisor(b, a % b) : a;
}
