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

export type Retry = 'never' | 'later' | 'resume' | 'refresh';

/** code -> whether to try again, and the close code of the media road. */
export const ERRORS: Record<ErrorCode, readonly [retry: Retry, close?: number]> = {
  "abandoned": ["never",4423],
  "agent_unknown": ["never"],
  "auth_expired": ["refresh",4401],
  "auth_invalid": ["refresh",4401],
  "auth_missing": ["refresh",4401],
  "bad_frame": ["never",4400],
  "bad_message": ["never",4400],
  "call_unknown": ["never"],
  "capacity": ["later"],
  "config_refused": ["never"],
  "going_away": ["resume",4453],
  "hello_timeout": ["resume",4408],
  "internal": ["resume",4450],
  "mint_failed": ["later",4452],
  "mode_refused": ["never"],
  "origin_refused": ["never",4403],
  "out_of_order": ["never",4400],
  "protocol_mismatch": ["never",4406],
  "quota_minutes": ["later",4420],
  "quota_sessions": ["later"],
  "quota_starts": ["later"],
  "rate_limited": ["later",4429],
  "resume_refused": ["never"],
  "session_ended": ["never",4410],
  "session_limit": ["never",4421],
  "session_unknown": ["never",4404],
  "slow_client": ["resume",4422],
  "store_unavailable": ["later",4451],
  "superseded": ["never",4409],
  "ticket_expired": ["resume",4401],
  "ticket_used": ["resume",4401],
  "too_large": ["never",4413],
  "unknown_type": ["never"],
  "upstream_auth": ["later",4464],
  "upstream_context_full": ["never",4463],
  "upstream_invalid": ["never",4465],
  "upstream_overload": ["later",4461],
  "upstream_policy": ["never",4462],
  "upstream_quota": ["later",4460],
  "upstream_unavailable": ["resume",4466],
};

/** field -> rule, or [rule, default]. */
export const RULES: Record<string, Record<string, string | readonly [string, unknown]>> = {
  "Starting": {"eta_ms":["i",0],"i":"i","resume_key":"s","session":"s","stage":"admitted|model|relay"},
  "Ready": {"i":"i","limits":"Limits","media":"Media","resume_key":"s","session":"s"},
  "Limits": {"resume_ms":"i","session_ms":"i"},
  "Media": {"expires_at":"i","ticket":"s","url":"s"},
  "ControlError": {"code":"s","fatal":["b",false],"i":["i",0],"message":"s","ref":["s",""],"retry_after_ms":["i",0],"retryable":["b",false]},
  "ControlEnded": {"i":["i",0],"session":"s"},
  "Live": {"agent":"Agent","audio":["AudioFormats",{}],"capabilities":["s[]",[]],"e":["i",0],"limits":"LiveLimits","lost_turns":["i[]",[]],"n":["i",0],"replay_from":["i",0],"resumed":["b",false],"session":"s","uplink_seq":["i",0],"version":"i"},
  "Agent": {"name":"s","tools":["s[]",[]]},
  "AudioFormats": {"down":["AudioDown",{}],"up":["AudioUp",{}]},
  "AudioDown": {"rate_hz":["i",24000]},
  "AudioUp": {"frame_ms":["i",20],"rate_hz":["i",16000]},
  "LiveLimits": {"ends_in_ms":"i","resume_ms":"i"},
  "TurnStarted": {"e":["i",0],"n":["i",0],"role":"agent|user","turn":"i"},
  "TurnAudioEnd": {"e":["i",0],"n":["i",0],"role":["agent|user","agent"],"turn":"i"},
  "TurnEnded": {"e":["i",0],"n":["i",0],"role":"agent|user","turn":"i"},
  "TurnInterrupted": {"cause":"client|server|user","e":["i",0],"n":["i",0],"turn":"i"},
  "Transcript": {"e":["i",0],"final":["b",false],"heard":["s?",null],"message":"s","n":["i",0],"role":"agent|user","text":["s",""],"turn":"i"},
  "ToolCall": {"args":["o",{}],"call_id":"s","deadline_ms":"i","e":["i",0],"n":["i",0],"name":"s"},
  "ToolCancel": {"call_ids":"s[]","e":["i",0],"n":["i",0]},
  "ToolStatus": {"call_id":"s","e":["i",0],"n":["i",0],"name":"s","state":"cancelled|done|failed|running"},
  "Usage": {"cost_usd":["n",0],"e":["i",0],"n":["i",0],"tokens":"Tokens","turn":"i"},
  "Tokens": {"input_audio":["i",0],"input_image":["i",0],"input_text":["i",0],"output_audio":["i",0],"output_text":["i",0],"total":["i",0]},
  "Metrics": {"audio_ms":["i",0],"e":["i",0],"first_audio_ms":["i",0],"generation_ms":["i",0],"n":["i",0],"turn":"i","uplink_dropped_ms":["i",0]},
  "Ack": {"e":["i",0],"n":["i",0],"seq":"i"},
  "GoingAway": {"e":["i",0],"ends_in_ms":"i","move":["b",false],"n":["i",0]},
  "Error": {"code":"s","e":["i",0],"fatal":["b",false],"message":"s","n":["i",0],"ref":["s",""],"retry_after_ms":["i",0],"retryable":["b",false]},
  "Ended": {"e":["i",0],"n":["i",0],"reason":"s","usage":["Tokens",{}]},
  "Pong": {"e":["i",0],"n":["i",0],"server_ms":"i","t":"n"},
};

export const CONTROL_REPLY: Record<string, string> = {
  "starting": "Starting",
  "ready": "Ready",
  "error": "ControlError",
  "ended": "ControlEnded",
};

export const SERVER_MESSAGE: Record<string, string> = {
  "live": "Live",
  "turn.started": "TurnStarted",
  "turn.audio_end": "TurnAudioEnd",
  "turn.ended": "TurnEnded",
  "turn.interrupted": "TurnInterrupted",
  "transcript": "Transcript",
  "tool.call": "ToolCall",
  "tool.cancel": "ToolCancel",
  "tool.status": "ToolStatus",
  "usage": "Usage",
  "metrics": "Metrics",
  "ack": "Ack",
  "going_away": "GoingAway",
  "error": "Error",
  "ended": "Ended",
  "pong": "Pong",
};

export const DOWNLINK_HZ = 24000;
export const IMAGE_BYTES = 716800;
export const JWT_ENTRY_BYTES = 6144;
export const RESEND_WINDOW_S = 2;
export const SAMPLE_BYTES = 2;
export const SUBPROTOCOL = "vivavoce";
export const TEXT_CHARS = 8000;
export const TOOL_RESULT_BYTES = 65536;
export const UPLINK_HZ = 16000;
export const VERSIONS = [1];
