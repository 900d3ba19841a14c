// Made by scripts/types.mjs from protocol/schema. Do not edit.

export type ErrorCode = 
  | 'abandoned'
  | 'agent_unknown'
  | 'auth_expired'
  | 'auth_invalid'
  | 'auth_missing'
  | 'bad_frame'
  | 'bad_message'
  | 'call_unknown'
  | 'capacity'
  | 'config_refused'
  | 'going_away'
  | 'hello_timeout'
  | 'idle'
  | 'internal'
  | 'key_refused'
  | 'mic_silent'
  | 'mint_failed'
  | 'mode_refused'
  | 'origin_refused'
  | 'out_of_order'
  | 'protocol_mismatch'
  | 'quota_exceeded'
  | 'quota_minutes'
  | 'quota_sessions'
  | 'quota_starts'
  | 'rate_limited'
  | 'relay_failed'
  | 'resume_refused'
  | 'session_ended'
  | 'session_limit'
  | 'session_unknown'
  | 'slow_client'
  | 'store_unavailable'
  | 'superseded'
  | 'ticket_expired'
  | 'ticket_used'
  | 'too_large'
  | 'unknown_type'
  | 'upstream_auth'
  | 'upstream_context_full'
  | 'upstream_credits'
  | 'upstream_invalid'
  | 'upstream_model'
  | 'upstream_overload'
  | 'upstream_policy'
  | 'upstream_quota'
  | 'upstream_region'
  | 'upstream_unavailable';

/** Errors after which a resume brings the session back; all others that are retryable are about a new try. */
export const RESUMABLE_CODES: readonly string[] = [
  'auth_expired',
  'auth_invalid',
  'auth_missing',
  'going_away',
  'hello_timeout',
  'slow_client',
  'ticket_expired',
  'ticket_used',
];

/** Close code of the media road -> what it says of the session when its error was lost: it is over. */
export const FINAL_CLOSE_CODES: Record<number, ErrorCode> = {
  "4400": "out_of_order",
  "4403": "origin_refused",
  "4404": "session_unknown",
  "4406": "protocol_mismatch",
  "4409": "superseded",
  "4410": "session_ended",
  "4413": "too_large",
  "4421": "session_limit",
  "4423": "abandoned",
  "4454": "key_refused",
  "4462": "upstream_policy",
  "4463": "upstream_context_full",
  "4465": "upstream_invalid",
  "4467": "upstream_credits",
  "4468": "upstream_model",
  "4469": "upstream_region",
};

export const CONTROL_MESSAGE_BYTES = 32768;
export const DOWNLINK_HZ = 24000;
export const IMAGE_BYTES = 716800;
export const IMAGE_CHARS = 1000;
export const IMAGE_MESSAGES = 16;
export const KEPT_AUDIO_MS = 30000;
export const KEPT_MESSAGES = 256;
export const JWT_ENTRY_BYTES = 6144;
export const SAMPLE_BYTES = 2;
export const START_TRIES = 3;
export const SUBPROTOCOL = "vivavoce";
export const TEXT_CHARS = 8000;
export const TEXT_CHARS_BURST = 64000;
export const TEXT_CHARS_PER_S = 2000;
export const TOOL_RESULT_BYTES = 65536;
export const UPLINK_HZ = 16000;
export const VERSIONS = [1];
export const ADPCM_MAX_MS = 320000;
export const ADPCM_MS = 20000;
export const BACKOFF_BASE_MS = 250;
export const BACKOFF_MAX_MS = 8000;
export const FATAL_CLOSE_MS = 2000;
export const LATER_MS = 1000;
export const LIVE_TIMEOUT_MS = 45000;
export const MOVE_EARLY_MS = 5000;
export const NARROW_MS = 10000;
export const OPEN_TIMEOUT_MS = 10000;
export const PING_AFTER_MS = 5000;
export const PROBE_EVERY_MS = 250;
export const REPLY_TIMEOUT_MS = 30000;
export const RESUME_TIMEOUT_MS = 8000;
export const SILENCE_MS = 10000;
export const START_PATIENCE_MS = 150000;
export const STEADY_MS = 10000;
export const TICKET_MS = 60000;
export const UPLINK_KEPT_MS = 1000;
export const UPLINK_WINDOW_MS = 500;
