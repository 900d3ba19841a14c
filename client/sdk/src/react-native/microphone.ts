import { type LocalCode, VoiceError } from '../errors.js';
import type { MicInfo, Microphone, MicrophoneEvents, MicOptions } from '../index.js';
import type { NativeFailure, NativeMicOptions, NativeRoutes, NativeVoice } from './module.js';

const SILENT_MS = 3000; //: nothing but zeros for so long is the phone's privacy switch, not a quiet room
const CODES: Record<NativeFailure, LocalCode> = {
  denied: 'mic_denied',
  in_use: 'mic_in_use',
  not_found: 'mic_not_found',
  unsupported: 'mic_unsupported',
};

/** Why the microphone is closed for a while. */
export type Hold = 'background' | 'focus';

/** The phone's microphone through the native module. */
export class NativeMicrophone implements Microphone {
  readonly stream = null;
  level = 0;
  #events: MicrophoneEvents | null = null; //: while open
  #wishes: NativeMicOptions;
  #attempt = 0;
  #isWanted = false; //: opened last, and not closed since
  #silentMs = 0;
  readonly #holds = new Set<Hold>();
  readonly #module: NativeVoice;
  readonly #prepared: () => Promise<void>;
  readonly #inBackground: boolean;

  /** `prepared` resolves when the module has the phone's audio; `inBackground`: open behind other apps, too. */
  constructor(module: NativeVoice, prepared: () => Promise<void>, inBackground: boolean) {
    this.#module = module;
    this.#prepared = prepared;
    this.#inBackground = inBackground;
    this.#wishes = { ...wishesOf({}), inBackground };
  }

  async open(options: MicOptions, events: MicrophoneEvents): Promise<MicInfo> {
    if (this.#holds.size && !this.#events) throw new VoiceError('mic_in_use', [...this.#holds].join());
    const attempt = ++this.#attempt;
    this.#isWanted = true;
    this.#wishes = { ...wishesOf(options), inBackground: this.#inBackground };
    if (this.#holds.size) return this.#keepHeld(events);
    await this.#prepared();
    const routes = await this.#start();
    if (attempt !== this.#attempt) {
      // Closed while the phone asked for the permission: its module may have opened it after that.
      if (!this.#isWanted) await this.#module.stop().catch(() => {});
      throw new VoiceError('aborted');
    }
    this.#events = events;
    this.#silentMs = 0;
    // Android's question for the permission hides the app, which may stay hidden.
    return this.#holds.size ? this.#keepHeld(events) : inputOf(routes);
  }

  /** Open, and paused at once: which is told when `open` has resolved. */
  #keepHeld(events: MicrophoneEvents): MicInfo {
    this.#events = events;
    setTimeout(() => void this.#pause());
    return {};
  }

  async close(): Promise<void> {
    this.#attempt += 1;
    this.#isWanted = false;
    this.#events = null;
    this.level = 0;
    await this.#module.stop().catch(() => {});
  }

  /** A frame came. */
  hear(pcm: Uint8Array<ArrayBuffer>): void {
    if (!this.#events || this.#holds.size) return;
    const own = pcm.byteLength === pcm.buffer.byteLength ? pcm : pcm.slice();
    this.level = rms(own.buffer);
    this.#events.frame(own.buffer);
    this.#silentMs = this.level ? 0 : this.#silentMs + this.#wishes.frameMs;
    if (this.#silentMs === SILENT_MS) this.#events.failed(new VoiceError('mic_silent'));
  }

  /** Another device is in use. */
  routed(routes: NativeRoutes): void {
    this.#events?.changed(inputOf(routes));
  }

  /** It is closed for good. */
  lost(message: string): void {
    const events = this.#events;
    this.#events = null;
    this.level = 0;
    events?.failed(new VoiceError('mic_lost', message));
  }

  /** Pause for this reason, or no longer; told at the first and after the last. */
  async hold(reason: Hold, isHeld: boolean): Promise<void> {
    const wasHeld = this.#holds.size > 0;
    if (isHeld) this.#holds.add(reason);
    else this.#holds.delete(reason);
    if (!this.#events || wasHeld === this.#holds.size > 0) return;
    await (isHeld ? this.#pause() : this.#resume());
  }

  async #pause(): Promise<void> {
    if (!this.#events || !this.#holds.size) return;
    this.level = 0;
    this.#events.paused(true);
    await this.#module.stop().catch(() => {});
  }

  async #resume(): Promise<void> {
    const attempt = this.#attempt;
    try {
      const routes = await this.#start();
      if (attempt !== this.#attempt || this.#holds.size) return;
      this.routed(routes);
      this.#events?.paused(false);
    } catch (thrown) {
      if (attempt === this.#attempt) this.lost((thrown as Error).message);
    }
  }

  async #start(): Promise<NativeRoutes> {
    try {
      return await this.#module.start(this.#wishes);
    } catch (cause) {
      const code = (cause as { code?: NativeFailure }).code ?? 'unsupported';
      throw new VoiceError(CODES[code] ?? 'mic_unsupported', (cause as Error).message, { cause });
    }
  }
}

function wishesOf(options: MicOptions): Omit<NativeMicOptions, 'inBackground'> {
  const { frameMs, echoCancellation, noiseSuppression, autoGainControl, deviceId } = options;
  return {
    frameMs: frameMs ?? 20,
    echoCancellation: !!(echoCancellation ?? true),
    noiseSuppression: noiseSuppression ?? true,
    autoGainControl: autoGainControl ?? true,
    deviceId: deviceId ?? '',
  };
}

function inputOf({ input, inputs }: NativeRoutes): MicInfo {
  return { deviceId: input, label: inputs.find(({ id }) => id === input)?.label };
}

/** Root mean square of s16le, 0 to 1. */
function rms(pcm: ArrayBuffer): number {
  const samples = new Int16Array(pcm);
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / (samples.length || 1)) / 32_768;
}
