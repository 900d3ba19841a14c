"""The one registry of errors that leave the house, and the errors this package raises.

A code is stable; its sentence may be improved. ERRORS.md has a paragraph for each, and a test compares
the two lists. No text here or anywhere else sent to a peer holds an exception's message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Retry = Literal["never", "later", "resume", "refresh"]


class ProtocolError(Exception):
    """Base of what this package raises. `code` is in `REGISTRY`."""

    def __init__(self, code: str, ref: str = "", detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.ref = ref  #: what the peer sent that this is about: a type, a request, a field path
        self.detail = detail  #: field and rule, in our own words, for the end of the registry's sentence


class RemoteProtocolError(ProtocolError):
    """The peer broke the rules."""


class LocalProtocolError(ProtocolError):
    """We asked this package for something the rules forbid: our own bug."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the registry."""

    close: int | None  #: media close code when fatal there; None: never closes a connection by itself
    retry: Retry  #: never | later (after `retry_after_ms`) | resume (control `resume`) | refresh (new JWT)
    message: str  #: a sentence a developer can act on

    @property
    def retryable(self) -> bool:
        return self.retry != "never"

    def sentence(self, detail: str = "") -> str:
        """The message, and what it was in this case, such as a field and its rule."""
        return f"{self.message.removesuffix('.')}: {detail}." if detail else self.message


REGISTRY: dict[str, Entry] = {
    # what was sent
    "bad_message": Entry(4400, "never", "The message is not valid JSON for its type."),
    "bad_frame": Entry(4400, "never", "The binary frame is not a valid audio frame."),
    "unknown_type": Entry(None, "never", "This server does not know that message type."),
    "out_of_order": Entry(4400, "never", "That message is not allowed in the present state."),
    "too_large": Entry(4413, "never", "The message is larger than this road allows."),
    "rate_limited": Entry(4429, "later", "Too many messages in a short time."),
    "protocol_mismatch": Entry(4406, "never", "Client and server have no protocol version in common."),
    "hello_timeout": Entry(4408, "resume", "No hello arrived in time."),
    # who is asking
    "auth_missing": Entry(4401, "refresh", "No credential was offered."),
    "auth_invalid": Entry(4401, "refresh", "The credential was not accepted."),
    "auth_expired": Entry(4401, "refresh", "The credential has expired."),
    "origin_refused": Entry(4403, "never", "Pages of that origin may not connect."),
    "ticket_expired": Entry(4401, "resume", "The media ticket has expired."),
    "ticket_used": Entry(4401, "resume", "The media ticket was already used."),
    # what was asked for
    "agent_unknown": Entry(None, "never", "There is no agent of that name."),
    "config_refused": Entry(None, "never", "This agent cannot be had with that setting."),
    "session_unknown": Entry(4404, "never", "There is no such session for this user."),
    "resume_refused": Entry(None, "never", "The resume key does not fit the session."),
    "session_ended": Entry(4410, "never", "The session has ended."),
    "superseded": Entry(4409, "never", "Another connection has taken over this session."),
    "call_unknown": Entry(None, "never", "No tool call with that id is open."),
    "mode_refused": Entry(None, "never", "That message needs the other turn mode."),
    # how much
    "quota_sessions": Entry(None, "later", "Too many sessions of this user are open."),
    "quota_starts": Entry(None, "later", "Too many sessions were started in a short time."),
    "quota_minutes": Entry(4420, "later", "The time allowed for today is used up."),
    "quota_exceeded": Entry(4425, "later", "The budget for conversations is used up."),
    "idle": Entry(None, "never", "Nobody said anything for so long that the agent hung up."),
    "session_limit": Entry(4421, "never", "The session has reached its longest duration."),
    "capacity": Entry(4424, "later", "No relay could be had. Try again shortly."),
    "relay_failed": Entry(None, "never", "The server's relays end as they start."),
    "slow_client": Entry(4422, "resume", "The client does not read fast enough."),
    "abandoned": Entry(4423, "never", "The session was left without a client for too long."),
    "mic_silent": Entry(None, "never", "The microphone is said to be open, and no audio comes."),
    # us
    "internal": Entry(4450, "later", "Something failed on the server. It has been logged."),
    "store_unavailable": Entry(4451, "later", "The session store does not answer."),
    "mint_failed": Entry(4452, "later", "No model credential could be made."),
    "key_refused": Entry(4454, "never", "The server's key for the model is missing or was refused."),
    "going_away": Entry(4453, "resume", "This relay is shutting down."),
    # the model behind us
    "upstream_quota": Entry(4460, "later", "The model's quota is used up."),
    "upstream_overload": Entry(4461, "later", "The model is overloaded."),
    "upstream_policy": Entry(4462, "never", "The model refused the content."),
    "upstream_context_full": Entry(4463, "never", "The conversation is too long for the model."),
    "upstream_auth": Entry(4464, "later", "The model did not accept our credential."),
    "upstream_invalid": Entry(4465, "never", "The model did not accept the session's setup or a message."),
    "upstream_unavailable": Entry(4466, "later", "The model cannot be reached."),
    "upstream_credits": Entry(4467, "never", "The server's account with the model's provider has no credit."),
    "upstream_model": Entry(4468, "never", "There is no model of that name for the server's key."),
    "upstream_region": Entry(4469, "never", "The model is not offered where the server is."),
}
