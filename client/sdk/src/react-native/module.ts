import type { PlaybackReport } from '../index.js';

/** A microphone, loudspeaker, headset or car. */
export interface NativeDevice {
  readonly id: string;
  /** As the system calls it, for people. */
  readonly label: string;
}

/** Devices there are, and those in use. */
export interface NativeRoutes {
  readonly inputs: readonly NativeDevice[];
  readonly outputs: readonly NativeDevice[];
  /** Ids of the two that are in use; empty while unknown. */
  readonly input: string;
  readonly output: string;
}

export interface NativeMicOptions {
  /** 10 to 100. */
  readonly frameMs: number;
  readonly echoCancellation: boolean;
  readonly noiseSuppression: boolean;
  readonly autoGainControl: boolean;
  /** Of an input; empty: the system's choice. */
  readonly deviceId: string;
  /** Stay open behind other apps, by whatever the system wants for that. */
  readonly inBackground: boolean;
}

/** Code of an error that the native module rejects with; any other is taken for `unsupported`. */
export type NativeFailure = 'denied' | 'in_use' | 'not_found' | 'unsupported';

/** Events of the native module. */
export interface NativeVoiceEvents {
  /** The microphone: s16le, mono, 16 kHz, `frameMs` long, in an array of its own. */
  onFrame: (event: { readonly pcm: Uint8Array<ArrayBuffer> }) => void;
  /** `progress` at least once a second while a turn plays, and when the buffer ran dry. */
  onPlayed: (report: PlaybackReport) => void;
  /** The buffer ran dry within a turn; it waits for `prebufferMs` now. */
  onUnderrun: (event: { readonly turn: number; readonly prebufferMs: number }) => void;
  /** RMS of what is played, 0 to 1; at most 20 a second, and 0 at the end. */
  onLevel: (event: { readonly output: number }) => void;
  /** A headset was connected or taken away, or the system chose another device. */
  onRoute: (routes: NativeRoutes) => void;
  /**
   * A phone call, an assistant or another app took the audio, or it is back. While it is away the module neither
   * records nor plays, and keeps what is queued.
   */
  onFocus: (event: { readonly isOurs: boolean }) => void;
  /** The microphone is closed and does not come back by itself. */
  onLost: (event: { readonly message: string }) => void;
}

/**
 * The phone's audio: what a native module does for this client. Expo's modules and TurboModules with events fit.
 *
 * Calls reach the module in the order they are made. It resamples, cancels the echo (without that the agent interrupts
 * itself), and holds the jitter buffer.
 */
export interface NativeVoice {
  /** Take the audio for a conversation, and play from now on. Rejects with a NativeFailure. */
  prepare(): Promise<void>;
  /** Close everything and give the audio back. */
  release(): Promise<void>;
  /**
   * Ask for the microphone, the first time, and open it: `onFrame` follows. Open already: with these options from now on.
   * Rejects with a NativeFailure.
   */
  start(options: NativeMicOptions): Promise<NativeRoutes>;
  stop(): Promise<void>;
  /** Queue s16le, mono, 24 kHz of `turn`. Turns play one after the other. */
  play(turn: number, pcm: Uint8Array<ArrayBuffer>): void;
  /** No more audio of `turn` and earlier follows: once played, it is `drained`. */
  finish(turn: number): void;
  /** Be silent about `turn` and earlier at once. */
  flush(turn: number): Promise<{ readonly playedMs: number; readonly droppedMs: number }>;
  /** 0 to 4; above 1 amplifies. */
  setVolume(volume: number): void;
  routes(): Promise<NativeRoutes>;
  /** Play on this output. Null: the system's choice. Rejects with `not_found`. */
  setOutput(id: string | null): Promise<void>;
  addListener<E extends keyof NativeVoiceEvents>(event: E, listener: NativeVoiceEvents[E]): { remove(): void };
}
