/** Between the page and its worklets. */
export interface CaptureOptions {
  readonly frameMs: number;
}

/** One frame of the microphone: s16le, 16 kHz; `level` is its RMS. */
export interface Captured {
  readonly pcm: ArrayBuffer;
  readonly level: number;
}

export interface PlaybackOptions {
  readonly prebufferMs: number;
  readonly maxPrebufferMs: number;
  readonly fadeMs: number;
}

export type ToPlayback =
  | { readonly type: 'play'; readonly turn: number; readonly pcm: ArrayBuffer }
  | { readonly type: 'finish'; readonly turn: number }
  | { readonly type: 'flush'; readonly turn: number };

export type FromPlayback =
  | {
      readonly type: 'started' | 'progress' | 'drained';
      readonly turn: number;
      readonly playedMs: number;
      readonly bufferedMs: number;
    }
  | { readonly type: 'underrun'; readonly turn: number; readonly prebufferMs: number }
  | { readonly type: 'flushed'; readonly turn: number; readonly playedMs: number; readonly droppedMs: number }
  | { readonly type: 'level'; readonly level: number };
