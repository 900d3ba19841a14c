import { Resampler } from './resampler.js';

const RATE_HZ = 24_000; //: of the agent's voice
const BLOCK = 64; //: source samples resampled at a time: no burst is ever resampled within one quantum

/** The audio of one turn: source samples in, output samples out, counted on both sides. */
export class Turn {
  readonly number: number;
  /** No more audio of it follows. */
  isFinished: boolean;
  isPlaying = false;
  #head = 0; //: samples taken from the first of the queue
  #pushed = 0; //: source samples
  #taken = 0; //: source samples resampled
  #rendered = 0; //: output samples
  #at = 0; //: in #ready
  #isTailed = false;
  #ready: Float32Array = new Float32Array(0); //: resampled, not yet rendered
  readonly #queue: Int16Array[] = [];
  readonly #resampler = new Resampler(RATE_HZ, sampleRate);

  constructor(number: number, isFinished: boolean) {
    this.number = number;
    this.isFinished = isFinished;
  }

  push(pcm: Int16Array): void {
    this.#queue.push(pcm);
    this.#pushed += pcm.length;
  }

  /** Amount that was played, counted in source samples: a suspended context plays nothing. */
  get playedMs(): number {
    return (Math.min(this.#taken, (this.#rendered * RATE_HZ) / sampleRate) * 1000) / RATE_HZ;
  }

  get bufferedMs(): number {
    return (this.#pushed * 1000) / RATE_HZ - this.playedMs;
  }

  /** Fill `output`; returns how many samples there were. */
  render(output: Float32Array): number {
    let count = 0;
    for (; count < output.length; count += 1) {
      while (this.#at === this.#ready.length) {
        const block = this.#next();
        if (!block) return count;
        this.#ready = this.#resampler.process(block);
        this.#at = 0;
      }
      output[count] = this.#ready[this.#at] as number;
      this.#at += 1;
      this.#rendered += 1;
    }
    return count;
  }

  /** The next source samples; at the end the zeros that bring out the last of the sound. */
  #next(): Float32Array | null {
    const [first] = this.#queue;
    if (first) {
      const block = Float32Array.from(first.subarray(this.#head, this.#head + BLOCK), (sample) => sample / 32768);
      this.#head += BLOCK;
      this.#taken += block.length;
      if (this.#head >= first.length) {
        this.#queue.shift();
        this.#head = 0;
      }
      return block;
    }
    if (!this.isFinished || this.#isTailed) return null;
    this.#isTailed = true;
    return new Float32Array(this.#resampler.tail);
  }
}
