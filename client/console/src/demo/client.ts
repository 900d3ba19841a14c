import type { VoiceClient, VoiceEvents, VoiceState } from 'vivavoce';
import type { Sample } from '../tape';
import { SCENE_START, type Beat, type Scene } from './scenes';

type Handlers = { [E in keyof VoiceEvents]?: Set<(...args: VoiceEvents[E]) => void> };

/** Looks like a client in the middle of a call. Nothing it is told to do has any effect. */
export class DemoClient {
  readonly tape: readonly Sample[];
  readonly levels: VoiceClient['levels'];
  readonly mic = { enable: nothing, disable: nothing, setMuted: () => undefined, setDevice: nothing, stream: null };
  readonly talk = { start: () => undefined, stop: () => undefined };
  readonly speaker = { unlock: nothing, setMuted: () => undefined, setVolume: () => undefined, setDevice: nothing, stream: null };
  readonly devices = { list: async () => ({ inputs: [], outputs: [], labelled: true }) };
  #handlers: Handlers = {};
  #state: VoiceState;
  #metrics: VoiceState['metrics'];

  constructor(private readonly scene: Scene) {
    this.#state = scene.state;
    this.#metrics = { ...scene.state.metrics, responseMs: undefined };
    this.tape = scene.state.messages.length > 0 ? drawnTape() : [];
    this.levels = { input: scene.input, output: scene.output, inputSpectrum: () => undefined, outputSpectrum: () => undefined };
  }

  getSnapshot(): VoiceState {
    return this.#state;
  }

  subscribe(): () => void {
    return () => undefined;
  }

  on<E extends keyof VoiceEvents>(event: E, handler: (...args: VoiceEvents[E]) => void): () => void {
    const set = ((this.#handlers[event] as Set<typeof handler> | undefined) ??= new Set() as never);
    set.add(handler);
    return () => set.delete(handler);
  }

  /** Tells the whole story at once; `at` moves the scene's clock. */
  tell(at: (ms: number) => void, expectBreak: (what: string) => void): void {
    for (const beat of this.scene.story) {
      at(SCENE_START + beat.at);
      this.#play(beat, expectBreak);
    }
    at(this.scene.now);
  }

  prepare = nothing;
  connect = async () => ({ sessionId: '', resumed: false });
  disconnect = nothing;
  sendText = nothing;
  interrupt = async () => null;
  update = () => undefined;
  registerTool = () => () => undefined;
  dispose = nothing;

  #play(beat: Beat, expectBreak: (what: string) => void): void {
    if ('wire' in beat) this.#emit('wire', beat.wire, 'media', beat.frame);
    else if ('break' in beat) expectBreak(beat.break);
    else if ('heal' in beat) this.#emit('reconnected', { resumed: true, gapMs: beat.heal, lostTurns: [] });
    else this.#answer(beat);
  }

  #answer(beat: { answered: number; firstAudio: number }): void {
    const before = { ...this.#state, metrics: this.#metrics };
    const metrics = { ...this.#state.metrics, responseMs: beat.answered, server: { firstAudioMs: beat.firstAudio, generationMs: 900, audioMs: 7500 } };
    this.#metrics = metrics;
    this.#emit('statechange', { ...this.#state, metrics }, before);
  }

  #emit<E extends keyof VoiceEvents>(event: E, ...args: VoiceEvents[E]): void {
    for (const handler of (this.#handlers[event] as Set<(...a: VoiceEvents[E]) => void> | undefined) ?? []) handler(...args);
  }
}

async function nothing(): Promise<never> {
  return undefined as never;
}

/** Script of speech by time, newest last; the agent is cut off in the middle. */
function drawnTape(): Sample[] {
  const parts: readonly (readonly ['input' | 'output' | 'none', number])[] = [
    ['none', 14],
    ['input', 68],
    ['none', 12],
    ['output', 112],
    ['input', 50],
    ['none', 10],
    ['output', 86],
  ];
  const samples: Sample[] = [];
  parts.forEach(([who, length], part) => {
    for (let i = 0; i < length; i += 1) {
      const level = speech(samples.length, i, length);
      const breath = 0.0025 + 0.001 * Math.sin(samples.length * 1.7);
      samples.push({
        input: who === 'input' ? level : breath,
        output: who === 'output' ? level : 0,
        cut: part === 4 && i === 3,
      });
    }
  });
  return samples;
}

/** Something like the loudness of speech: syllables, words and pauses. */
function speech(at: number, index: number, length: number): number {
  const syllable = 0.55 + 0.45 * Math.sin(at * 1.9 + Math.sin(at * 0.31) * 2);
  const word = Math.max(0, Math.sin(at * 0.37) + 0.75);
  const edge = Math.min(1, index / 3, (length - index) / 2);
  return Math.max(0.002, 0.19 * syllable * word * edge);
}
