import { NativeEventEmitter, NativeModules } from 'react-native';

/** A native module you write, or an adapter to one you use. Audio crosses as base64 of s16le mono. */
interface NativeVoice {
  /** Voice processing on (echo cancellation!), 16 kHz, 20 ms frames as `frame` events. Rejects with code `denied`. */
  startRecording(): Promise<void>;
  stopRecording(): Promise<void>;
  /** Queue 24 kHz audio of a turn; says `playback` as it plays. */
  play(turn: number, pcm: string): void;
  finish(turn: number): void;
  /** Be silent about `turn` and earlier at once. */
  flush(turn: number): Promise<{ playedMs: number; droppedMs: number }>;
  setVolume(volume: number): void;
  addListener(event: string): void;
  removeListeners(count: number): void;
}

/** What the module says, by event. */
export interface NativeVoiceEvents {
  frame: { readonly pcm: string; readonly level: number };
  playback: {
    readonly turn: number;
    readonly state: 'started' | 'progress' | 'drained';
    readonly playedMs: number;
    readonly bufferedMs: number;
  };
  /** A phone call, an assistant, another app. */
  interrupted: { readonly isInterrupted: boolean };
}

export const native: NativeVoice = NativeModules.VivavoceAudio;

const emitter = new NativeEventEmitter(NativeModules.VivavoceAudio);

export function listen<E extends keyof NativeVoiceEvents>(
  event: E,
  handler: (data: NativeVoiceEvents[E]) => void,
): () => void {
  const subscription = emitter.addListener(event, handler as (data: unknown) => void);
  return () => subscription.remove();
}
