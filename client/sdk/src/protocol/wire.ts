// Made by scripts/types.mjs from protocol/schema. Do not edit.

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** What the client need not keep any more. */
export interface Ack {
  readonly type: "ack";
  readonly e: number;
  readonly message_n: number;
  readonly n: number;
  readonly seq: number;
}

/** The user's turn begins or ends, under `turns: manual`. */
export interface Activity {
  readonly type: "activity";
  readonly n?: number | undefined;
  readonly state: "end" | "start";
}

/** Agent of the session, as far as a client may know it. */
export interface Agent {
  readonly name: string;
  readonly tools: readonly string[];
}

/** Format of the agent's frames. */
export interface AudioDown {
  readonly rate_hz: number;
}

export interface AudioFormats {
  readonly down: AudioDown;
  readonly up: AudioUp;
}

/** Format that the relay wants from the microphone. */
export interface AudioUp {
  readonly frame_ms: number;
  readonly rate_hz: number;
}

/** Most of a budget is used up. Before it is passed the agent says goodbye, and the session ends. */
export interface Budget {
  readonly type: "budget";
  readonly e: number;
  readonly n: number;
  readonly resets_in_ms: number;
  readonly scope: "session" | "user" | "deployment" | (string & {});
  readonly used_percent: number;
}

/** What the agent found by a search of the web, and answers by. */
export interface Citation {
  readonly type: "citation";
  readonly e: number;
  readonly html: string;
  readonly n: number;
  readonly sources: readonly Source[];
  readonly turn: number;
}

/** Name, version and platform of the client, for logs and metrics. */
export interface ClientInfo {
  readonly name?: string | undefined;
  readonly platform?: string | undefined;
  readonly version?: string | undefined;
}

/** A tool that runs in the client. */
export interface ClientTool {
  readonly description?: string | undefined;
  readonly name: string;
  readonly parameters?: JsonObject | undefined;
  readonly scheduling?: "interrupt" | "silent" | "when_idle" | undefined;
  readonly timeout_ms?: number | undefined;
}

/** Settings that a client asks for; the agent's YAML says which of them it may change. */
export interface Config {
  readonly language?: string | null | undefined;
  readonly reply?: "audio" | "text" | undefined;
  readonly turns?: "auto" | "manual" | undefined;
  readonly voice?: string | null | undefined;
}

/** Text for the agent to know. Makes no turn and ends none: the agent learns it when it is quiet. */
export interface Context {
  readonly type: "context";
  readonly n?: number | undefined;
  readonly text: string;
}

/** Answers `end`. */
export interface ControlEnded {
  readonly type: "ended";
  readonly i: number;
  readonly session: string;
}

/** A refusal or a failure. `code` is in ERRORS.md. */
export interface ControlError {
  readonly type: "error";
  readonly code: string;
  readonly fatal: boolean;
  readonly i: number;
  readonly message: string;
  readonly ref: string;
  readonly retry_after_ms: number;
  readonly retryable: boolean;
  readonly sessions: readonly OpenSession[];
}

/** End a session; before `live` this cancels it. */
export interface End {
  readonly type: "end";
  readonly session: string;
}

/** The user is done. Answered by `ended`. */
export interface EndCall {
  readonly type: "end";
  readonly reason?: string | undefined;
}

/** The session is over. */
export interface Ended {
  readonly type: "ended";
  readonly e: number;
  readonly n: number;
  readonly reason: string;
  readonly usage: Tokens;
}

/** A refusal or a failure. `code` is in ERRORS.md; `fatal` means the connection closes next. */
export interface Error {
  readonly type: "error";
  readonly code: string;
  readonly e: number;
  readonly fatal: boolean;
  readonly message: string;
  readonly n: number;
  readonly ref: string;
  readonly retry_after_ms: number;
  readonly retryable: boolean;
}

/** Notice that this relay will close. `move`: resume on control, at the next turn gap. */
export interface GoingAway {
  readonly type: "going_away";
  readonly e: number;
  readonly ends_in_ms: number;
  readonly move: boolean;
  readonly n: number;
}

/** First message on every media connection. */
export interface Hello {
  readonly type: "hello";
  readonly after?: [number, number] | undefined;
  readonly kept_seq?: number | undefined;
  readonly last_turn?: number | undefined;
  readonly next_seq?: number | undefined;
  readonly versions: readonly number[];
}

/** Finished turns of earlier relays that the client may not have. Replaces what it has of them. */
export interface History {
  readonly type: "history";
  readonly e: number;
  readonly n: number;
  readonly turns: readonly PastTurn[];
}

/** Image for the agent to see. */
export interface Image {
  readonly type: "image";
  readonly data: string;
  readonly mime: "image/jpeg" | "image/png" | "image/webp";
  readonly n?: number | undefined;
}

/** Stop the agent. The server drops the rest of the turn. */
export interface Interrupt {
  readonly type: "interrupt";
  readonly played_ms: number;
  readonly turn: number;
}

/** Limits of this session. */
export interface Limits {
  readonly resume_ms: number;
  readonly session_ms: number;
}

/** Answers `hello`: the conversation is on. */
export interface Live {
  readonly type: "live";
  readonly agent: Agent;
  readonly audio: AudioFormats;
  readonly capabilities: readonly string[];
  readonly e: number;
  readonly limits: LiveLimits;
  readonly lost_turns: readonly number[];
  readonly message_n: number;
  readonly n: number;
  readonly replay_from: number;
  readonly resumed: boolean;
  readonly session: string;
  readonly uplink_seq: number;
  readonly version: number;
}

export interface LiveLimits {
  readonly ends_in_ms: number;
  readonly resume_ms: number;
}

/** Address of the media road, and the secret that admits to it once. */
export interface Media {
  readonly expires_at: number;
  readonly protocols: readonly string[];
  readonly ticket: string;
  readonly url: string;
}

/** Latencies of a turn. */
export interface Metrics {
  readonly type: "metrics";
  readonly audio_ms: number;
  readonly e: number;
  readonly first_audio_ms: number;
  readonly generation_ms: number;
  readonly leg_gap_ms: number | null;
  readonly n: number;
  readonly turn: number;
  readonly uplink_dropped_ms: number;
}

/** The microphone's state, under `turns: auto`. Leaving `open` flushes what the model has heard. */
export interface Mic {
  readonly type: "mic";
  readonly state: "closed" | "open" | "paused";
}

/** A session of the same user that is open. */
export interface OpenSession {
  readonly agent: string;
  readonly connected: boolean;
  readonly session: string;
  readonly since: number;
}

/** A finished turn, as it is kept. */
export interface PastTurn {
  readonly agent: string;
  readonly interrupted: boolean;
  readonly outcome: "completed" | "interrupted" | "empty" | "rejected" | "lost" | (string & {});
  readonly truncated: boolean;
  readonly turn: number;
  readonly user: string;
}

/** Round-trip probe; `t` comes back as it was. */
export interface Ping {
  readonly type: "ping";
  readonly t: number;
}

/** The truth about what was heard: at every change, and at least once a second while playing. */
export interface Playback {
  readonly type: "playback";
  readonly buffered_ms?: number | undefined;
  readonly played_ms?: number | undefined;
  readonly state: "drained" | "flushed" | "progress" | "started";
  readonly turn: number;
}

/** Answers `ping`. */
export interface Pong {
  readonly type: "pong";
  readonly e: number;
  readonly n: number;
  readonly server_ms: number;
  readonly t: number;
}

/** Connect to `media.url` with `media.ticket`. Keep `resume_key`: it replaces the last one. */
export interface Ready {
  readonly type: "ready";
  readonly i: number;
  readonly limits: Limits;
  readonly media: Media;
  readonly resume_key: string;
  readonly session: string;
}

/** Resume a session, after any kind of break. */
export interface Resume {
  readonly type: "resume";
  readonly media_failed?: boolean | undefined;
  readonly resume_key: string;
  readonly session: string;
}

/** A page that an answer is founded on. */
export interface Source {
  readonly title: string;
  readonly url: string;
}

/** Open a session. The same `request` of the same user opens one session, however often it is sent. */
export interface Start {
  readonly type: "start";
  readonly agent?: string | undefined;
  readonly client?: ClientInfo | undefined;
  readonly config?: Config | undefined;
  readonly metadata?: Record<string, string> | undefined;
  readonly request: string;
  readonly tools?: readonly ClientTool[] | undefined;
  readonly versions: readonly number[];
}

/** The session is admitted; a relay is on its way. */
export interface Starting {
  readonly type: "starting";
  readonly eta_ms: number;
  readonly i: number;
  readonly resume_key: string;
  readonly session: string;
  readonly stage: "admitted" | "model" | "relay";
}

/** Typed by the user. */
export interface Text {
  readonly type: "text";
  readonly n?: number | undefined;
  readonly respond?: boolean | undefined;
  readonly text: string;
}

/** Model tokens by modality. */
export interface Tokens {
  readonly cached: number;
  readonly input_audio: number;
  readonly input_image: number;
  readonly input_text: number;
  readonly output_audio: number;
  readonly output_text: number;
  readonly thoughts: number;
  readonly tool_use: number;
  readonly total: number;
}

/** Run this tool and answer with `tool.result`. */
export interface ToolCall {
  readonly type: "tool.call";
  readonly args: JsonObject;
  readonly call_id: string;
  readonly deadline_ms: number;
  readonly e: number;
  readonly n: number;
  readonly name: string;
}

/** Cancel these calls: their results are not wanted any more. */
export interface ToolCancel {
  readonly type: "tool.cancel";
  readonly call_ids: readonly string[];
  readonly e: number;
  readonly n: number;
}

/** Result of a client-side tool. */
export interface ToolResult {
  readonly type: "tool.result";
  readonly call_id: string;
  readonly data?: Json | undefined;
  readonly error?: string | undefined;
  readonly n?: number | undefined;
  readonly ok: boolean;
}

/** Progress of a tool that runs on the server. */
export interface ToolStatus {
  readonly type: "tool.status";
  readonly call_id: string;
  readonly e: number;
  readonly n: number;
  readonly name: string;
  readonly state: "cancelled" | "done" | "failed" | "running";
}

/** Words of a party. Not ordered against audio. `text` is what to append to `message`, or all of it. */
export interface Transcript {
  readonly type: "transcript";
  readonly e: number;
  readonly final: boolean;
  readonly heard: string | null;
  readonly message: string;
  readonly n: number;
  readonly role: "agent" | "user";
  readonly text: string;
  readonly turn: number;
  readonly whole: boolean;
}

/** No more audio of this turn follows; it may still be playing. */
export interface TurnAudioEnd {
  readonly type: "turn.audio_end";
  readonly e: number;
  readonly n: number;
  readonly role: "agent" | "user";
  readonly turn: number;
}

/** The party has finished. */
export interface TurnEnded {
  readonly type: "turn.ended";
  readonly e: number;
  readonly n: number;
  readonly outcome: "completed" | "interrupted" | "empty" | "rejected" | "lost" | (string & {});
  readonly role: "agent" | "user";
  readonly turn: number;
}

/** Drop queued audio of `turn` and earlier. No frame of it follows. */
export interface TurnInterrupted {
  readonly type: "turn.interrupted";
  readonly cause: "client" | "server" | "user";
  readonly e: number;
  readonly n: number;
  readonly turn: number;
}

/** A party begins. The user's turn and the agent's answer to it share one number. */
export interface TurnStarted {
  readonly type: "turn.started";
  readonly e: number;
  readonly n: number;
  readonly role: "agent" | "user";
  readonly turn: number;
}

/** Tokens and cost of the session so far. */
export interface Usage {
  readonly type: "usage";
  readonly cost_micro_usd: number;
  readonly e: number;
  readonly estimated: boolean;
  readonly n: number;
  readonly tokens: Tokens;
  readonly turn: number;
}

export type ClientMessage = Hello | Mic | Activity | Text | Context | Image | Interrupt | Playback | ToolResult | EndCall | Ping;
export type ControlReply = Starting | Ready | ControlError | ControlEnded;
export type ControlRequest = Start | Resume | End;
export type ServerMessage = Live | History | TurnStarted | TurnAudioEnd | TurnEnded | TurnInterrupted | Transcript | ToolCall | ToolCancel | ToolStatus | Citation | Usage | Budget | Metrics | Ack | GoingAway | Error | Ended | Pong;
