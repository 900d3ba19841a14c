import type { AudioDevices, AudioEngine, MicOptions, SpeakerOptions } from './audio/engine.js';
import type { VoiceError } from './errors.js';
import type { Transport } from './roads/transport.js';
import type { Tools } from './tools.js';

export interface TokenContext {
  /** `refresh`: the server did not accept the last one. */
  readonly reason: 'connect' | 'reconnect' | 'refresh' | 'end';
  readonly signal: AbortSignal;
}

/** A fixed token is for local trials: it expires, and a resume then fails. */
export type TokenSource = string | ((context: TokenContext) => string | Promise<string>);

export interface SessionSource {
  /** URL of the control road: wss:, or ws: to this machine. */
  readonly url: string;
  /** The admission JWT, asked for before every control connection. It never gets into a URL. */
  readonly token: TokenSource;
}

export interface SessionConfig {
  readonly voice?: string | undefined;
  /** BCP 47. */
  readonly language?: string | undefined;
  /** `manual`: the app says when the user speaks, by `talk`. Default auto. */
  readonly turns?: 'auto' | 'manual' | undefined;
  /** `text`: answers are read, and no voice is sent. Default: audio, and text under `audio: false`. */
  readonly reply?: 'audio' | 'text' | undefined;
}

export interface ReconnectPolicy {
  /** Full jitter in [0, min(max, base * 2^n)]. Defaults 250 and 8000. */
  readonly baseDelayMs?: number | undefined;
  readonly maxDelayMs?: number | undefined;
  /** Time limit of one break. Default: as long as the server keeps the session. */
  readonly maxElapsedMs?: number | undefined;
  /** Return false to give up before the next attempt. */
  readonly shouldRetry?: ((info: { attempt: number; error: VoiceError }) => boolean) | undefined;
}

export interface AudioOptions {
  readonly mic?: MicOptions | undefined;
  readonly speaker?: SpeakerOptions | undefined;
  /** Your own context, made inside a gesture. It is not closed by the client. */
  readonly audioContext?: AudioContext | undefined;
  /** Same-origin URLs of the two worklets, for pages whose CSP forbids blob: scripts. */
  readonly workletUrls?: { readonly capture: string; readonly playback: string } | undefined;
  /** Something else than the browser's audio. */
  readonly engine?: AudioEngine | undefined;
}

export interface VoiceClientOptions {
  readonly session: SessionSource;
  /** Whom to talk to; prompts, model and keys live on the server. Default: the server's. */
  readonly agent?: string | undefined;
  /** Wishes; the agent's file decides which of them a client may have. */
  readonly config?: SessionConfig | undefined;
  /** Kept with the session's record; never shown to the model. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Tools that run here. They are declared when the session starts. */
  readonly tools?: Tools | undefined;
  /** false: text only. No permission is asked, and no voice is sent. */
  readonly audio?: AudioOptions | false | undefined;
  /** false: the first break ends the call. */
  readonly reconnect?: ReconnectPolicy | false | undefined;
  /** Time limit from connect() to `connected`, cold start included. Default 150000. */
  readonly connectTimeoutMs?: number | undefined;
  /** What `prepare()` has opened closes when no call has begun for so long. Default 120000. */
  readonly prepareTimeoutMs?: number | undefined;
  /**
   * When its page goes, a call ends; `keep` leaves the session to the next page: `connect({ resume })`. A page in the
   * back/forward cache keeps its call, and mends it when it is back. Default end.
   */
  readonly pageHide?: 'end' | 'keep' | undefined;
  /** Default: the platform's WebSocket. */
  readonly transport?: Transport | undefined;
  /** Messages kept in the snapshot. Default 200. */
  readonly messageLimit?: number | undefined;
  /** Name and version of the app, for the server's logs. */
  readonly app?: { readonly name?: string; readonly version?: string } | undefined;
}

export interface ConnectOptions {
  /** Gives up connecting. A call that has begun goes on. */
  readonly signal?: AbortSignal | undefined;
  /** A `resumeToken` kept from before a page reload: go on with that session. */
  readonly resume?: string | undefined;
}

export type ImageSource = Blob | { readonly data: Uint8Array; readonly mime: string };

export interface MicControls {
  /** The stream that is open, for recorders and visualisers. */
  readonly stream: MediaStream | null;
  /** Ask for the device and open it. Inside a click, the first time. Rejects with VoiceError. */
  enable(): Promise<void>;
  /** Close the device; its indicator goes out. */
  disable(): Promise<void>;
  setMuted(muted: boolean): void;
  /** Another device, now if the microphone is open, else when it opens. Null: the system's choice. */
  setDevice(deviceId: string | null): Promise<void>;
}

export interface TalkControls {
  /** The user speaks from now on. Opens the microphone when it is off. */
  start(): void;
  stop(): void;
}

export interface SpeakerControls {
  /** Audio of the agent, for recorders and visualisers. */
  readonly stream: MediaStream | null;
  /** Inside a click: let sound out. Rejects with `audio_blocked`. */
  unlock(): Promise<void>;
  setMuted(muted: boolean): void;
  /** 0 to 4; above 1 amplifies. */
  setVolume(volume: number): void;
  /** Null: the system's choice. Rejects with `speaker_unsupported`. */
  setDevice(deviceId: string | null): Promise<void>;
}

export interface DeviceControls {
  /** Opens and closes the microphone once when `requestPermission` is set and labels are missing. */
  list(options?: { requestPermission?: boolean }): Promise<AudioDevices>;
}
