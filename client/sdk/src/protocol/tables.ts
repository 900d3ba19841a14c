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
  | 'internal'
  | 'key_refused'
  | 'mic_silent'
  | 'mint_failed'
  | 'mode_refused'
  | 'origin_refused'
  | 'out_of_order'
  | 'protocol_mismatch'
  | 'quota_minutes'
  | 'quota_sessions'
  | 'quota_starts'
  | 'rate_limited'
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
  | 'upstream_invalid'
  | 'upstream_overload'
  | 'upstream_policy'
  | 'upstream_quota'
  | 'upstream_unavailable';

/** Errors after which a resume brings the session back; all others that are retryable are about a new try. */
export const COMES_BACK = 'auth_expired auth_invalid auth_missing going_away hello_timeout slow_client ticket_expired ticket_used';

/** Close code of the media road -> what it says of the session when its error was lost: it is over. */
export const OVER: Record<number, ErrorCode> = {
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
};

/** A reply a line: its type, then its fields, each with its rule. See codec.ts. */
export const CONTROL = `starting eta_ms:i=0 i:i resume_key:s session:s stage:admitted|model|relay
ready i:i limits:0 media:1 resume_key:s session:s
error code:s fatal:b=false i:i=0 message:s ref:s="" retry_after_ms:i=0 retryable:b=false
ended i:i=0 session:s`;

/** The same for messages of the media road. */
export const MEDIA = `live agent:2 audio:3={} capabilities:s[]=[] limits:6 lost_turns:i[]=[] replay_from:i=0 resumed:b=false session:s uplink_seq:i=0 version:i
history turns:7[]
turn.started role:agent|user turn:i
turn.audio_end role:agent|user="agent" turn:i
turn.ended role:agent|user turn:i
turn.interrupted cause:client|server|user turn:i
transcript final:b=false heard:s?=null message:s role:agent|user text:s="" turn:i
tool.call args:o={} call_id:s deadline_ms:i name:s
tool.cancel call_ids:s[]
tool.status call_id:s name:s state:cancelled|done|failed|running
usage cost_usd:n=0 tokens:8 turn:i
metrics audio_ms:i=0 first_audio_ms:i=0 generation_ms:i=0 leg_gap_ms:i?=null turn:i uplink_dropped_ms:i=0
ack seq:i
going_away ends_in_ms:i move:b=false
error code:s fatal:b=false message:s ref:s="" retry_after_ms:i=0 retryable:b=false
ended reason:s usage:8={}
pong server_ms:i t:n`;

/** What each of them has besides. */
export const MEDIA_COMMON = ' e:i=0 n:i=0';

/** What is inside of them, by number. */
export const STRUCTS = `0 resume_ms:i session_ms:i
1 expires_at:i ticket:s url:s
2 name:s tools:s[]=[]
3 down:4={} up:5={}
4 rate_hz:i=24000
5 frame_ms:i=20 rate_hz:i=16000
6 ends_in_ms:i resume_ms:i
7 agent:s="" interrupted:b=false truncated:b=false turn:i user:s=""
8 input_audio:i=0 input_image:i=0 input_text:i=0 output_audio:i=0 output_text:i=0 total:i=0`;

export const DOWNLINK_HZ = 24000;
export const IMAGE_BYTES = 716800;
export const IMAGE_CHARS = 1000;
export const JWT_ENTRY_BYTES = 6144;
export const RESEND_WINDOW_S = 2;
export const SAMPLE_BYTES = 2;
export const STEADY_S = 10;
export const SUBPROTOCOL = "vivavoce";
export const TEXT_CHARS = 8000;
export const TEXT_CHARS_BURST = 64000;
export const TEXT_CHARS_PER_S = 2000;
export const TOOL_RESULT_BYTES = 65536;
export const UPLINK_HZ = 16000;
export const VERSIONS = [1];
