import type { Captured, FromPlayback, PlaybackOptions, ToPlayback } from '../../src/worklets/messages.js';

const QUANTUM = 128;

interface Processor {
  readonly port: { posted: unknown[]; onmessage: ((event: { data: unknown }) => void) | null };
  process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean;
}
type Constructor = new (options: { processorOptions: unknown }) => Processor;

const registered = new Map<string, Constructor>();

/** The globals of an audio worklet, at a rate of the test's choice. */
export function enterScope(rateHz: number): void {
  Object.assign(globalThis, {
    sampleRate: rateHz,
    registerProcessor: (name: string, processor: Constructor) => registered.set(name, processor),
    AudioWorkletProcessor: class {
      readonly port = {
        posted: [] as unknown[],
        onmessage: null,
        postMessage(message: unknown) {
          this.posted.push(message);
        },
      };
    },
  });
}

async function make(name: 'capture' | 'playback', processorOptions: unknown): Promise<Processor> {
  await import('../../src/worklets/capture.js');
  await import('../../src/worklets/playback.js');
  const Registered = registered.get(`vivavoce-${name}`);
  if (!Registered) throw new Error(`no processor ${name}`);
  return new Registered({ processorOptions });
}

/** A playback worklet whose time passes when the test says so. */
export class Player {
  readonly output: number[] = [];
  readonly #processor: Processor;
  readonly #rateHz: number;

  private constructor(processor: Processor, rateHz: number) {
    this.#processor = processor;
    this.#rateHz = rateHz;
  }

  static async make(rateHz = 48_000, options: Partial<PlaybackOptions> = {}): Promise<Player> {
    enterScope(rateHz);
    const defaults = { prebufferMs: 80, maxPrebufferMs: 400, fadeMs: 5 };
    return new Player(await make('playback', { ...defaults, ...options }), rateHz);
  }

  get posted(): FromPlayback[] {
    return this.#processor.port.posted as FromPlayback[];
  }

  said<T extends FromPlayback['type']>(type: T): (FromPlayback & { type: T })[] {
    return this.posted.filter((message): message is FromPlayback & { type: T } => message.type === type);
  }

  send(message: ToPlayback): void {
    this.#processor.port.onmessage?.({ data: message });
  }

  /** A tone of the agent's voice, in frames of 40 ms. */
  speak(turn: number, ms: number, hz = 440): void {
    for (let at = 0; at < ms; at += 40) {
      const samples = Int16Array.from({ length: 24 * Math.min(40, ms - at) }, (_, index) =>
        Math.round(8000 * Math.sin((2 * Math.PI * hz * (at * 24 + index)) / 24_000)),
      );
      this.send({ type: 'play', turn, pcm: samples.buffer });
    }
  }

  /** Render at least `ms`; returns the samples of it. */
  pass(ms: number): number[] {
    const from = this.output.length;
    while (this.output.length - from < (ms * this.#rateHz) / 1000) {
      const block = new Float32Array(QUANTUM);
      this.#processor.process([], [[block]]);
      this.output.push(...block);
    }
    return this.output.slice(from);
  }
}

/** What a capture worklet makes of `samples`. */
export async function capture(samples: Float32Array, rateHz: number, frameMs = 20): Promise<Captured[]> {
  enterScope(rateHz);
  const processor = await make('capture', { frameMs });
  for (let at = 0; at + QUANTUM <= samples.length; at += QUANTUM)
    processor.process([[samples.subarray(at, at + QUANTUM)]], []);
  return processor.port.posted as Captured[];
}

export function tone(hz: number, rateHz: number, seconds: number, gain = 0.5): Float32Array {
  return Float32Array.from({ length: rateHz * seconds }, (_, at) => gain * Math.sin((2 * Math.PI * hz * at) / rateHz));
}

/** How much of `hz` is in `samples`, in dB of full scale. */
export function decibels(samples: ArrayLike<number>, rateHz: number, hz: number): number {
  let [real, imaginary] = [0, 0];
  for (let at = 0; at < samples.length; at += 1) {
    const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * at) / samples.length); // Hann: leaks of the cut ends stay low
    const angle = (2 * Math.PI * hz * at) / rateHz;
    real += window * (samples[at] as number) * Math.cos(angle);
    imaginary += window * (samples[at] as number) * Math.sin(angle);
  }
  return 20 * Math.log10((4 * Math.hypot(real, imaginary)) / samples.length + 1e-12);
}
