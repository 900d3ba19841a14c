// Made by scripts/types.mjs from protocol/schema. Do not edit.

import { boolean, type Fields, integer, list, nullable, number, object, oneOf, optional, string, struct } from './checks.js';

const limits = struct({ resume_ms: integer, session_ms: integer });
const media = struct({ expires_at: integer, protocols: optional(list(string), []), ticket: string, url: string });
const openSession = struct({ agent: string, connected: optional(boolean, false), session: string, since: integer });
const agent = struct({ name: string, tools: optional(list(string), []) });
const audioDown = struct({ rate_hz: optional(integer, 24000) });
const audioUp = struct({ frame_ms: optional(integer, 20), rate_hz: optional(integer, 16000) });
const audioFormats = struct({ down: optional(audioDown, {}), up: optional(audioUp, {}) });
const liveLimits = struct({ ends_in_ms: integer, resume_ms: integer });
const pastTurn = struct({ agent: optional(string, ""), interrupted: optional(boolean, false), outcome: optional(string, ""), truncated: optional(boolean, false), turn: integer, user: optional(string, "") });
const tokens = struct({ cached: optional(integer, 0), input_audio: optional(integer, 0), input_image: optional(integer, 0), input_text: optional(integer, 0), output_audio: optional(integer, 0), output_text: optional(integer, 0), thoughts: optional(integer, 0), tool_use: optional(integer, 0), total: optional(integer, 0) });

/** Of every message of the media road. */
export const NUMBERED: Fields = { e: optional(integer, 0), n: optional(integer, 0) };

/** Replies of the control road. */
export const REPLIES: Record<string, Fields> = {
  'starting': { eta_ms: optional(integer, 0), i: integer, resume_key: string, session: string, stage: oneOf('admitted', 'model', 'relay') },
  'ready': { i: integer, limits: limits, media: media, resume_key: string, session: string },
  'error': { code: string, fatal: optional(boolean, false), i: optional(integer, 0), message: string, ref: optional(string, ""), retry_after_ms: optional(integer, 0), retryable: optional(boolean, false), sessions: optional(list(openSession), []) },
  'ended': { i: optional(integer, 0), session: string },
};

/** What the media road brings, besides that. Null: src/ondemand/late.ts has its fields. */
export const MESSAGES: Record<string, Fields | null> = {
  'live': { agent: agent, audio: optional(audioFormats, {}), capabilities: optional(list(string), []), limits: liveLimits, lost_turns: optional(list(integer), []), message_n: optional(integer, 0), replay_from: optional(integer, 0), resumed: optional(boolean, false), session: string, uplink_seq: optional(integer, 0), version: integer },
  'history': { turns: list(pastTurn) },
  'turn.started': { role: oneOf('agent', 'user'), turn: integer },
  'turn.audio_end': { role: optional(oneOf('agent', 'user'), "agent"), turn: integer },
  'turn.ended': { outcome: optional(string, ""), role: oneOf('agent', 'user'), turn: integer },
  'turn.interrupted': { cause: oneOf('client', 'server', 'user'), turn: integer },
  'transcript': { final: optional(boolean, false), heard: nullable(string), message: string, role: oneOf('agent', 'user'), text: optional(string, ""), turn: integer, whole: optional(boolean, false) },
  'tool.call': null,
  'tool.cancel': null,
  'tool.status': null,
  'citation': null,
  'usage': { cost_micro_usd: optional(integer, 0), estimated: optional(boolean, false), tokens: tokens, turn: integer },
  'budget': null,
  'metrics': { audio_ms: optional(integer, 0), first_audio_ms: optional(integer, 0), generation_ms: optional(integer, 0), leg_gap_ms: nullable(integer), turn: integer, uplink_dropped_ms: optional(integer, 0) },
  'ack': { message_n: optional(integer, 0), seq: integer },
  'going_away': { ends_in_ms: integer, move: optional(boolean, false) },
  'error': { code: string, fatal: optional(boolean, false), message: string, ref: optional(string, ""), retry_after_ms: optional(integer, 0), retryable: optional(boolean, false) },
  'ended': { reason: string, usage: optional(tokens, {}) },
  'pong': { server_ms: integer, t: number },
};
