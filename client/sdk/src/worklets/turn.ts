import { Resampler } from './resampler.js';

const RATE_HZ = 24_000; //: of the agent's voice
const BLOCK = 64; //: source samples resampled at a time: no burst is ever resampled within one quantum

/** The audio of one turn: source samples in, output samples out, counted on both sides. */
export class Turn {
  readonly number: number;
  /** No more audio of it follows. */
  isFinished: boolean;
  isPlaying = false;
  hasStarted = false;
  #queue: Int16Array[] = [];
  #head = 0; //: samples taken from the first of the queue
  #queued = 0; //: source samples not yet resampled
  #taken = 0; //: source samples resampled
  #rendered = 0; //: output samples
  #ready: Float32Array = new Float32Array(0); //: resampled, not yet rendered
  #at = 0;
  #isTailed = false;
  readonly #resampler = new Resampler(RATE_HZ, sampleRate);
  readonly #block = new Float32Array(BLOCK);

  constructor(number: number, isFinished: boolean) {
    this.number = number;
    this.isFinished = isFinished;
  }

  push(pcm: Int16Array): void {
    this.#queue.push(pcm);
    this.#queued += pcm.length;
  }

  /** How much came out of the speaker, counted in source samples: a suspended context plays nothing. */
  get playedMs(): number {
    return (Math.min(this.#taken, (this.#rendered * RATE_HZ) / sampleRate) / RATE_HZ) * 1000;
  }

  get bufferedMs(): number {
    return ((this.#queued + this.#taken) / RATE_HZ) * 1000 - this.playedMs;
  }

  /** Fill `output` from `from` on; returns how many samples there were. */
  render(output: Float32Array, from: number): number {
    let at = from;
    for (; at < output.length; at += 1) {
      if (this.#at === this.#ready.length && !this.#refill()) break;
      output[at] = this.#ready[this.#at] as number;
      this.#at += 1;
    }
    this.#rendered += at - from;
    return at - from;
  }

  #refill(): boolean {
    this.#at = 0;
    do {
      const block = this.#next();
      if (!block) {
        this.#ready = this.#block.subarray(0, 0);
        return false;
      }
      this.#ready = this.#resampler.process(block);
    } while (this.#ready.length === 0);
    return true;
  }

  /** The next source samples; at the end the zeros that bring out the last of the sound. */
  #next(): Float32Array | null {
    let count = 0;
    for (let first = this.#queue[0]; first && count < BLOCK; first = this.#queue[0]) {
      const end = Math.min(first.length, this.#head + BLOCK - count);
      for (; this.#head < end; this.#head += 1, count += 1) this.#block[count] = (first[this.#head] as number) / 32768;
      if (this.#head < first.length) break;
      this.#queue.shift();
      this.#head = 0;
    }
    this.#queued -= count;
    this.#taken += count;
    if (count) return this.#block.subarray(0, count);
    if (!this.isFinished || this.#isTailed) return null;
    this.#isTailed = true;
    return new Float32Array(this.#resampler.tail);
  }
}
