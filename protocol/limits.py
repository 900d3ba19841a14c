"""Every number both ends must agree on, with its unit and its reason."""

from __future__ import annotations

VERSIONS = (1,)  #: protocol versions this code speaks, newest last
SUBPROTOCOL = "vivavoce"  #: the only WebSocket subprotocol a server ever echoes

UPLINK_HZ = 16_000  #: sample rate of microphone audio
DOWNLINK_HZ = 24_000  #: sample rate of the agent's audio
SAMPLE_BYTES = 2  #: mono s16le

DOWNLINK_FRAME_MS = 200  #: longest audio frame of the agent, however much the model says at once
FRAME_MS = 20  #: what a client should send in one audio frame
FRAME_MIN_MS = 10  #: shortest uplink frame
FRAME_MAX_MS = 100  #: longest uplink frame; more would be heard as delay
UPLINK_FRAME_BYTES = UPLINK_HZ * SAMPLE_BYTES * FRAME_MS // 1000  #: PCM bytes of a 20 ms frame

CONTROL_MESSAGES = 60  #: of one control connection, which needs one or two; then it is closed
CONTROL_MESSAGE_BYTES = 32 * 1024  #: API Gateway's largest frame (docs/sources.md#gateway-limits)
MEDIA_MESSAGE_BYTES = 1024 * 1024  #: one JSON message on the media road; an image is the largest
JWT_ENTRY_BYTES = 6 * 1024  #: a longer credential does not fit every server's header limit

TEXT_CHARS = 8_000  #: one typed message or piece of context
TURN_TEXT_BYTES = 64 * 1024  #: words of one party in one turn that are recorded and told, in UTF-8
IMAGE_BYTES = 700 * 1024  #: decoded; base64 of it still fits MEDIA_MESSAGE_BYTES
TOOL_RESULT_BYTES = 64 * 1024  #: the whole `tool.result` message
TOOL_ARGS_BYTES = 64 * 1024  #: arguments of a `tool.call`; the model is told that longer ones are too long
JSON_DEPTH = 64  #: nesting of JSON whose shape a peer chooses: tool results, tool parameters
CLIENT_TOOLS = 32  #: tools a client may declare

HELLO_TIMEOUT_S = 10.0  #: a media connection that has not said hello by then is closed
KEPT_AUDIO_MS = 30_000  #: un-acked microphone audio that a client keeps: a long question, a megabyte
KEPT_MESSAGES = 256  #: un-acked messages that a client keeps; beyond it the oldest goes
IMAGE_MESSAGES = 16  #: what an image counts for among them: it may have a megabyte
REPLAY_AUDIO_MS = 60_000  #: agent audio kept after it was written: it is written faster than it plays
REPLAY_EVENTS = 4_096  #: events kept for a client that comes back
REPLAY_EVENT_BYTES = 1024 * 1024  #: memory of those events; the oldest go first
ACK_EVERY_FRAMES = 25  #: uplink frames per `ack`: half a second of 20 ms frames
PENDING_AUDIO_MS = 60_000  #: agent audio waiting for the socket; beyond it the model leg is not read
PENDING_EVENT_BYTES = (
    2 * 1024 * 1024
)  #: memory of events and answers waiting for a client; beyond it, it is cut
MESSAGES_PER_S = 200  #: sustained messages of a call, over its connections; 20 ms audio needs 50
MESSAGES_BURST = 3_600  #: what a reconnecting client may send at once: all it keeps, in the shortest frames
BYTES_PER_S = 1024 * 1024  #: sustained bytes of a call, over its connections; the largest image once a second
BYTES_BURST = 8 * 1024 * 1024  #: what a reconnecting client may send at once
UPLINK_MS_PER_S = 1_100  #: microphone audio of each of a user's calls, sustained: real time, and any drift
UPLINK_BURST_MS = 33_000  #: of all of them at once: what a client kept, and what comes late through a bad net
UPLINK_HELD_MS = 2_000  #: audio over that rate waits; beyond this the oldest is dropped
TEXT_CHARS_PER_S = 2_000  #: `text` and `context` of a user's calls, sustained
TEXT_CHARS_BURST = 64_000  #: at once: a document of twenty pages
IMAGE_CHARS = 1_000  #: what an image counts for among them: it costs the model about as much

# A client's timeouts and delays: PROTOCOL.md#reconnecting
OPEN_TIMEOUT_S = 10.0  #: TCP, TLS and the handshake of either road together
REPLY_TIMEOUT_S = 30.0  #: longest silence on a control request; then it counts as lost: replies can get lost
RESUME_TIMEOUT_S = 8.0  #: to the first reply to a `resume`: shorter, because a user waits in mid-conversation
START_PATIENCE_S = 150.0  #: from the first request to `ready`: a relay may take a minute to start
START_TRIES = 3  #: a `start` is sent so often while nothing at all is answered
LIVE_TIMEOUT_S = 45.0  #: from the media handshake to `live`: a credential may take 28 s, the model 15 s more
FATAL_CLOSE_S = 2.0  #: from a fatal error to the close that follows it
TICKET_S = 60.0  #: validity of a media ticket
STEADY_S = 10.0  #: a connection that was live for so long ends its client's backoff; a shorter one does not
BACKOFF_BASE_S = 0.25  #: bound of the first random wait; it doubles with every further attempt
BACKOFF_MAX_S = 8.0  #: largest bound
LATER_S = 1.0  #: shortest wait after an error that says `later` and no `retry_after_ms`
MOVE_EARLY_S = 5.0  #: before a relay's time is over, when no pause between turns has come
PING_AFTER_S = 5.0  #: a client sends `ping` so often
SILENCE_S = 10.0  #: without anything received a connection is lost: phones and proxies often do not tell
PROBE_EVERY_S = 0.25  #: audio from one `ping` among a client's microphone frames to the next
UPLINK_WINDOW_S = 0.5  #: audio under way without a pong, beyond the way's own: new frames wait
UPLINK_KEPT_S = 1.0  #: a frame that waits for room on the line is dropped at this age
NARROW_S = 10.0  #: a line counts as narrow until PCM has gone up, and no frame been dropped, for so long
ADPCM_S = 20.0  #: a line that is too narrow for PCM gets ADPCM for so long, then PCM is tried
ADPCM_MAX_S = 320.0  #: twice as long after each try that fails, but no longer

NORMAL_CLOSE = 1000  #: WebSocket close code after `ended`
