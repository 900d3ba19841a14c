import type { VoiceError } from '../errors.js';

/** Audio of a turn that was played, and that was dropped. */
export interface PlayedUntil {
  readonly turn: number;
  readonly playedMs: number;
  readonly droppedMs: number;
}

/** The browser's `MediaDeviceInfo` is one. */
export interface AudioDevice {
  readonly deviceId: string;
  readonly label: string;
}

export interface AudioDevices {
  readonly inputs: readonly AudioDevice[];
  readonly outputs: readonly AudioDevice[];
  /** Labels are empty until the user has said yes once. */
  readonly labelled: boolean;
}

/** Numbers to poll in an animation frame; never part of the snapshot. */
export interface AudioLevels {
  /** RMS, 0 to 1. */
  readonly input: number;
  readonly output: number;
  /** Fills `into` with frequency data, 0 to 255; its length is a power of two. The first ones are zeros. */
  inputSpectrum(into: Uint8Array<ArrayBuffer>): void;
  outputSpectrum(into: Uint8Array<ArrayBuffer>): void;
}

export interface MicOptions {
  /** `auto` opens with connect(); `manual` asks for nothing until mic.enable(). Default auto. */
  readonly start?: 'auto' | 'manual' | undefined;
  /** `push-to-talk`: heard only between talk.start() and talk.stop(). Default: open, under `turns: manual` push-to-talk. */
  readonly mode?: 'open' | 'push-to-talk' | undefined;
  /** `soft` keeps the device open (instant, the indicator stays on); `release` closes it. Default soft. */
  readonly mute?: 'soft' | 'release' | undefined;
  readonly deviceId?: string | undefined;
  /** Default true. Do not pass 'remote-only': the agent's voice is not WebRTC's. */
  readonly echoCancellation?: boolean | 'all' | undefined;
  /** Default true. */
  readonly noiseSuppression?: boolean | undefined;
  /** Default true. */
  readonly autoGainControl?: boolean | undefined;
  /** Your own stream (a file, a test); getUserMedia is then never called. */
  readonly stream?: MediaStream | (() => Promise<MediaStream>) | undefined;
  /** 10 to 100. Default 20. */
  readonly frameMs?: number | undefined;
}

export interface SpeakerOptions {
  readonly deviceId?: string | undefined;
  /** 0 to 4; above 1 amplifies. Default 1. */
  readonly volume?: number | undefined;
  /** First and smallest jitter buffer. Default 80. */
  readonly prebufferMs?: number | undefined;
  /** Largest jitter buffer, reached when audio comes late. Default 400. */
  readonly maxPrebufferMs?: number | undefined;
  /** Time in which sound that is stopped or runs dry dies away. Default 5. */
  readonly fadeMs?: number | undefined;
}

/** Events of an open microphone. */
export interface MicrophoneEvents {
  /** PCM s16le, mono, 16 kHz, 10 to 100 ms. The buffer is the receiver's. */
  frame(pcm: ArrayBuffer): void;
  /** The device is another now, or its label is known. */
  changed(info: MicInfo): void;
  /** The system has taken the microphone away for a while, or given it back. */
  paused(isPaused: boolean): void;
  /** `mic_lost`: it is closed. `mic_silent`: it goes on and gives nothing but zeros. */
  failed(error: VoiceError): void;
}

export interface MicInfo {
  readonly deviceId?: string | undefined;
  readonly label?: string | undefined;
}

export interface Microphone {
  readonly stream: MediaStream | null;
  /** Rejects with VoiceError. Called again with another device while open: changes over. */
  open(options: MicOptions, events: MicrophoneEvents): Promise<MicInfo>;
  close(): Promise<void>;
}

export interface PlaybackReport {
  readonly turn: number;
  /** `progress` at least once a second while playing, and when the buffer ran dry. */
  readonly state: 'started' | 'progress' | 'drained';
  readonly playedMs: number;
  readonly bufferedMs: number;
}

/** Events of the engine. */
export interface AudioEvents {
  playback(report: PlaybackReport): void;
  /** The buffer ran dry within a turn; it waits for `prebufferMs` now. */
  underrun(turn: number, prebufferMs: number): void;
  /** The browser allows or blocks playback. */
  unlocked(isUnlocked: boolean): void;
  /** Another app has taken the audio, or given it back. */
  interrupted(isInterrupted: boolean): void;
  devices(devices: AudioDevices): void;
  /** Audio cannot work at all: `worklet_blocked`. */
  failed(error: VoiceError): void;
}

export interface Player {
  readonly stream: MediaStream | null;
  /** Queue PCM s16le, mono, 24 kHz of `turn`. Turns play one after the other. */
  play(turn: number, pcm: ArrayBuffer): void;
  /** No more audio of `turn` and earlier follows. */
  finish(turn: number): void;
  /** Stop playing `turn` and earlier at once; resolves with how much of `turn` was played. */
  flush(turn: number): Promise<PlayedUntil>;
  /** Inside a click: let sound out. Rejects with `audio_blocked`. */
  unlock(): Promise<void>;
  setVolume(volume: number): void;
  setDevice(deviceId: string | null): Promise<void>;
}

/** The seam for React Native, Node and tests. The browser's engine is the default. */
export interface AudioEngine {
  readonly microphone: Microphone;
  readonly player: Player;
  readonly levels: AudioLevels;
  /** Called once, inside the user's gesture; nothing is awaited before it. */
  prepare(events: AudioEvents): void;
  /** Resolves when audio can flow; rejects with VoiceError. */
  ready(): Promise<void>;
  devices(): Promise<AudioDevices>;
  /** Release everything. `prepare` may follow. */
  close(): Promise<void>;
}
