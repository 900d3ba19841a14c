import type { FromPlayback, PlaybackOptions, ToPlayback } from './messages.js';
import { Turn } from './turn.js';

const LEVELS_PER_S = 20;
const FADED = 0.01; //: of the sample at which the sound stopped, when a fade is over: no edge is heard
const LONGEST_MS = 600_000; //: audio waiting; no answer is that long, so more of it is dropped

/** Plays turns one after the other from a jitter buffer; falls silent at once; knows what was heard. */
class Playback extends AudioWorkletProcessor {
  #turns: Turn[] = [];
  #finished = 0; //: no more audio of this turn and earlier follows
  #flushed = 0; //: audio of this turn and earlier is dropped
  #reportedMs = 0; //: position of the last report
  #energy = 0;
  #measured = 0; //: samples since the last level
  #isLoud = false;
  #last = 0; //: sample that was played, and dies away when no other follows
  #prebufferMs: number;
  readonly #options: PlaybackOptions;
  readonly #decay: number; //: from sample to sample

  constructor({ processorOptions: options }: { processorOptions: PlaybackOptions }) {
    super();
    this.#options = options;
    this.#prebufferMs = options.prebufferMs;
    this.#decay = FADED ** (1000 / sampleRate / options.fadeMs);
    this.port.onmessage = ({ data }: MessageEvent<ToPlayback>) => this.#obey(data);
  }

  process(_: unknown, [channels]: Float32Array[][]): boolean {
    const output = channels?.[0];
    if (output) {
      const count = this.#play(output);
      if (count) this.#last = output[count - 1] as number;
      for (let at = count; at < output.length; at += 1) output[at] = this.#last = Math.trunc(this.#last * this.#decay * 32768) / 32768;
      this.#measure(output);
    }
    return true;
  }

  #obey(message: ToPlayback): void {
    const { turn } = message;
    if (message.type === 'flush') this.#flush(turn);
    else if (message.type === 'finish') this.#finish(turn);
    else if (turn > this.#flushed) this.#queue(turn, message.pcm);
  }

  #queue(number: number, pcm: ArrayBuffer): void {
    let turn = this.#turns.at(-1);
    if (turn?.number !== number) {
      if (turn) turn.isFinished = true;
      turn = new Turn(number, number <= this.#finished);
      this.#turns.push(turn);
    }
    if (turn.bufferedMs < LONGEST_MS) turn.push(new Int16Array(pcm));
  }

  #finish(number: number): void {
    this.#finished = Math.max(this.#finished, number);
    for (const turn of this.#turns) if (turn.number <= number) turn.isFinished = true;
  }

  #flush(number: number): void {
    this.#flushed = Math.max(this.#flushed, number);
    const { playedMs = 0, bufferedMs = 0 } = this.#turns.find((turn) => turn.number === number) ?? {};
    this.#turns = this.#turns.filter((turn) => turn.number > number);
    this.#post({ type: 'flushed', turn: number, playedMs, droppedMs: bufferedMs });
  }

  /** Returns how many samples there were. */
  #play(output: Float32Array): number {
    const turn = this.#turns[0];
    if (!turn) return 0;
    if (!turn.isPlaying && (turn.isFinished || turn.bufferedMs >= this.#prebufferMs)) this.#start(turn);
    if (!turn.isPlaying) return 0;
    const count = turn.render(output);
    if (turn.playedMs - this.#reportedMs >= 1000) this.#report('progress', turn);
    if (count < output.length) this.#runDry(turn);
    return count;
  }

  #start(turn: Turn): void {
    turn.isPlaying = true;
    if (!turn.playedMs) this.#report('started', turn); // else it goes on after an underrun
  }

  #runDry(turn: Turn): void {
    turn.isPlaying = false;
    if (turn.isFinished) {
      this.#report('drained', turn);
      this.#turns.shift();
      this.#prebufferMs = Math.max(this.#options.prebufferMs, this.#prebufferMs * 0.9);
      return;
    }
    this.#prebufferMs = Math.min(this.#options.maxPrebufferMs, this.#prebufferMs * 1.5);
    this.#post({ type: 'underrun', turn: turn.number, prebufferMs: this.#prebufferMs });
    this.#report('progress', turn);
  }

  #report(type: 'started' | 'progress' | 'drained', { number, playedMs, bufferedMs }: Turn): void {
    this.#reportedMs = playedMs;
    this.#post({ type, turn: number, playedMs, bufferedMs });
  }

  #measure(output: Float32Array): void {
    for (const sample of output) this.#energy += sample * sample;
    this.#measured += output.length;
    if (this.#measured < sampleRate / LEVELS_PER_S) return;
    const level = Math.sqrt(this.#energy / this.#measured);
    if (level || this.#isLoud) this.#post({ type: 'level', level });
    this.#isLoud = level > 0;
    this.#energy = 0;
    this.#measured = 0;
  }

  #post(message: FromPlayback): void {
    this.port.postMessage(message);
  }
}

registerProcessor('vivavoce-playback', Playback);
