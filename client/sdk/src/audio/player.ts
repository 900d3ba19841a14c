import { VoiceError } from '../errors.js';
import { onDemand } from '../ondemand.js';
import type { AudioOptions } from '../options.js';
import type { FromPlayback, ToPlayback } from '../worklets/messages.js';
import type { AudioEvents, PlayedUntil, Player } from './engine.js';

const FLUSH_PATIENCE_MS = 100; //: a context that another app has taken does not answer

/** The agent's voice through the playback worklet. */
export class BrowserPlayer implements Player {
  level = 0;
  /** Changes of the device that are under way: Chromium suspends the context for each, and none may wake it. */
  changes = 0;
  #context: AudioContext | null = null;
  #gain: GainNode | null = null;
  #node: AudioWorkletNode | null = null;
  #tap: MediaStreamAudioDestinationNode | null = null;
  #volume = 1;
  #sink: string | null = null; //: the chosen device
  #waiting: ToPlayback[] = []; //: until the worklet is up
  #last = { turn: 0, playedMs: 0, bufferedMs: 0 };
  readonly #flushes = new Set<(played: PlayedUntil) => void>(); //: those not answered
  readonly #events: () => AudioEvents | null;

  constructor(events: () => AudioEvents | null) {
    this.#events = events;
  }

  get stream(): MediaStream | null {
    if (!this.#tap && this.#context) {
      this.#tap = this.#context.createMediaStreamDestination();
      this.#gain?.connect(this.#tap);
    }
    return this.#tap && this.#tap.stream;
  }

  /** Prepare the output inside the click: later audio goes through it. */
  attach(context: AudioContext): GainNode {
    this.#context = context;
    this.#tap = null;
    this.#gain = context.createGain();
    this.#gain.gain.value = this.#volume;
    this.#gain.connect(context.destination);
    if (this.#sink) this.setDevice(this.#sink).catch(() => {}); // in place of a context that had it
    return this.#gain;
  }

  /** The worklets are loaded. */
  start({ prebufferMs = 80, maxPrebufferMs = 400, fadeMs = 5 }: NonNullable<AudioOptions['speaker']>): void {
    if (!this.#context || !this.#gain) return;
    this.#node = new AudioWorkletNode(this.#context, 'vivavoce-playback', {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions: { prebufferMs, maxPrebufferMs, fadeMs },
    });
    this.#node.connect(this.#gain);
    this.#node.port.onmessage = ({ data }) => this.#hear(data);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const message of waiting) this.#send(message);
  }

  stop(): void {
    this.#node?.disconnect();
    this.#node = null;
    this.#waiting = [];
    this.level = 0;
  }

  play(turn: number, pcm: ArrayBuffer): void {
    this.#send({ type: 'play', turn, pcm });
  }

  finish(turn: number): void {
    this.#send({ type: 'finish', turn });
  }

  async flush(turn: number): Promise<PlayedUntil> {
    const { playedMs, bufferedMs } = this.#last.turn === turn ? this.#last : { playedMs: 0, bufferedMs: 0 };
    const guess: PlayedUntil = { turn, playedMs, droppedMs: bufferedMs };
    this.#send({ type: 'flush', turn });
    if (!this.#node) return guess;
    return await new Promise((resolve) => {
      const answer = ({ playedMs, droppedMs, ...flushed }: PlayedUntil) => {
        if (flushed.turn !== turn) return;
        this.#flushes.delete(answer);
        resolve({ turn, playedMs, droppedMs });
      };
      this.#flushes.add(answer);
      setTimeout(answer, FLUSH_PATIENCE_MS, guess);
    });
  }

  async unlock(): Promise<void> {
    await wake(this.#context);
    const isUnlocked = this.#context?.state === 'running';
    this.#events()?.unlocked(isUnlocked);
    if (!isUnlocked) throw new VoiceError('audio_blocked');
  }

  setVolume(volume: number): void {
    this.#volume = volume;
    if (this.#gain) this.#gain.gain.value = volume;
  }

  async setDevice(deviceId: string | null): Promise<void> {
    this.changes += 1;
    try {
      const { routeTo } = await onDemand();
      await routeTo(this.#gain as GainNode, deviceId);
      this.#sink = deviceId;
    } catch (cause) {
      throw new VoiceError('speaker_unsupported', '', { cause });
    } finally {
      if (!--this.changes) void wake(this.#context); // whose device may have gone before
    }
  }

  #send(message: ToPlayback): void {
    if (!this.#node) this.#waiting.push(message);
    else this.#node.port.postMessage(message, message.type === 'play' ? [message.pcm] : []);
  }

  #hear(message: FromPlayback): void {
    const events = this.#events();
    if (message.type === 'level') this.level = message.level;
    else if (message.type === 'underrun') events?.underrun(message.turn, message.prebufferMs);
    else if (message.type === 'flushed') for (const answer of this.#flushes) answer(message);
    else {
      this.#last = message;
      const { type: state, turn, playedMs, bufferedMs } = message;
      // On the way through the graph. What is there when a turn is flushed is still heard. The way through the device is
      // not counted: in Firefox `outputLatency` waits for the audio thread, which may be waiting for this one.
      const aheadMs = state === 'progress' ? (this.#context?.baseLatency ?? 0) * 1000 : 0;
      events?.playback({ turn, state, playedMs: Math.max(0, playedMs - aheadMs), bufferedMs });
    }
  }
}

/** Let it run. Never while interrupted: that would throw, and leave a context that seems to run. */
export async function wake(context: AudioContext | null): Promise<void> {
  if (context?.state === 'suspended') await context.resume().catch(() => {});
}
