// Made by scripts/types.mjs from protocol/schema. Do not edit.

import { boolean, type Check, integer, list, nullable, number, object, oneOf, optional, string, struct } from './checks.js';

const limits = struct({ resume_ms: integer, session_ms: integer });
const media = struct({ expires_at: integer, ticket: string, url: string });
const openSession = struct({ agent: string, connected: optional(boolean, false), session: string, since: integer });
const agent = struct({ name: string, tools: optional(list(string), []) });
const audioDown = struct({ rate_hz: optional(integer, 24000) });
const audioUp = struct({ frame_ms: optional(integer, 20), rate_hz: optional(integer, 16000) });
const audioFormats = struct({ down: optional(audioDown, {}), up: optional(audioUp, {}) });
const liveLimits = struct({ ends_in_ms: integer, resume_ms: integer });
const pastTurn = struct({ agent: optional(string, ""), interrupted: optional(boolean, false), outcome: optional(string, ""), truncated: optional(boolean, false), turn: integer, user: optional(string, "") });
const tokens = struct({ input_audio: optional(integer, 0), input_image: optional(integer, 0), input_text: optional(integer, 0), output_audio: optional(integer, 0), output_text: optional(integer, 0), total: optional(integer, 0) });
const numbered = { e: optional(integer, 0), n: optional(integer, 0) };

/** Replies of the control road. */
export const REPLIES: Record<string, Check> = {
  'starting': struct({ eta_ms: optional(integer, 0), i: integer, resume_key: string, session: string, stage: oneOf('admitted', 'model', 'relay') }),
  'ready': struct({ i: integer, limits: limits, media: media, resume_key: string, session: string }),
  'error': struct({ code: string, fatal: optional(boolean, false), i: optional(integer, 0), message: string, ref: optional(string, ""), retry_after_ms: optional(integer, 0), retryable: optional(boolean, false), sessions: optional(list(openSession), []) }),
  'ended': struct({ i: optional(integer, 0), session: string }),
};

/** What the media road brings. */
export const MESSAGES: Record<string, Check> = {
  'live': struct({ agent: agent, audio: optional(audioFormats, {}), capabilities: optional(list(string), []), limits: liveLimits, lost_turns: optional(list(integer), []), message_n: optional(integer, 0), replay_from: optional(integer, 0), resumed: optional(boolean, false), session: string, uplink_seq: optional(integer, 0), version: integer, ...numbered }),
  'history': struct({ turns: list(pastTurn), ...numbered }),
  'turn.started': struct({ role: oneOf('agent', 'user'), turn: integer, ...numbered }),
  'turn.audio_end': struct({ role: optional(oneOf('agent', 'user'), "agent"), turn: integer, ...numbered }),
  'turn.ended': struct({ outcome: optional(string, ""), role: oneOf('agent', 'user'), turn: integer, ...numbered }),
  'turn.interrupted': struct({ cause: oneOf('client', 'server', 'user'), turn: integer, ...numbered }),
  'transcript': struct({ final: optional(boolean, false), heard: optional(nullable(string), null), message: string, role: oneOf('agent', 'user'), text: optional(string, ""), turn: integer, ...numbered }),
  'tool.call': struct({ args: optional(object, {}), call_id: string, deadline_ms: integer, name: string, ...numbered }),
  'tool.cancel': struct({ call_ids: list(string), ...numbered }),
  'tool.status': struct({ call_id: string, name: string, state: oneOf('cancelled', 'done', 'failed', 'running'), ...numbered }),
  'usage': struct({ cost_usd: optional(number, 0), tokens: tokens, turn: integer, ...numbered }),
  'metrics': struct({ audio_ms: optional(integer, 0), first_audio_ms: optional(integer, 0), generation_ms: optional(integer, 0), leg_gap_ms: optional(nullable(integer), null), turn: integer, uplink_dropped_ms: optional(integer, 0), ...numbered }),
  'ack': struct({ message_n: optional(integer, 0), seq: integer, ...numbered }),
  'going_away': struct({ ends_in_ms: integer, move: optional(boolean, false), ...numbered }),
  'error': struct({ code: string, fatal: optional(boolean, false), message: string, ref: optional(string, ""), retry_after_ms: optional(integer, 0), retryable: optional(boolean, false), ...numbered }),
  'ended': struct({ reason: string, usage: optional(tokens, {}), ...numbered }),
  'pong': struct({ server_ms: integer, t: number, ...numbered }),
};
