"""Expected failures of the command line: one line that says what is wrong and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vivavoce import VoiceError

USAGE = 2  #: exit code for what was typed wrong
FAILED = 1  #: exit code for what went wrong
INTERRUPTED = 130  #: exit code after Ctrl-C, as shells have it

_NEW_TOKEN = (
    'Make a new one with "vivavoce token --secret-env NAME" and give it as --token or $VIVAVOCE_TOKEN.'
)
_ADVICE = {
    "connect_failed": 'Is the server up? "vivavoce dev" starts one on this machine; --url names another.',
    "connect_timeout": "Check the address and your network, then try again.",
    "connection_lost": "Check your network, then try again.",
    "token_failed": 'Is "vivavoce dev" still running?',
    "auth_missing": _NEW_TOKEN,
    "auth_invalid": _NEW_TOKEN,
    "auth_expired": _NEW_TOKEN,
    "origin_refused": "Compare the address with the deployment's ControlUrl.",
    "too_large": "Use a token with fewer claims, or fewer tools.",
    "protocol_mismatch": "Update this package, or the server, so that both speak the same version.",
    "agent_unknown": "Give the name of one of the server's agents as --agent.",
    "quota_sessions": "End another session of this user, or wait for it to end.",
    "session_limit": "Start a new conversation.",
    "key_refused": 'Give "vivavoce dev" another GEMINI_API_KEY, or the stack another in its SSM parameter.',
    "upstream_credits": "Put money on the Google account of the server's key; calls then work at once.",
    "upstream_model": "Correct `model` in the agent's file, or name others to fall back to in `models`.",
    "upstream_region": "Deploy where Google offers the model, or send the server's requests out from there.",
    "upstream_quota": "Try again later; the quota is that of the server's key at Google.",
    "capacity": 'Try again. On this machine the terminal of "vivavoce dev" says why no relay came up.',
    "relay_failed": 'Run "vivavoce doctor --stack NAME"; here the terminal of "vivavoce dev" says why.',
    "upstream_policy": "Say something else.",
}


class Failure(Exception):
    """Ends the command with one line on stderr and an exit code."""

    def __init__(self, message: str, advice: str = "", code: int = FAILED) -> None:
        super().__init__(f"{message} {advice}".rstrip())
        self.code = code


def failed(error: VoiceError) -> Failure:
    """The conversation's error with what to do about it."""
    return Failure(f"{error.code}: {error.message}", _advice(error))


def _advice(error: VoiceError) -> str:
    if error.code in _ADVICE:
        return _ADVICE[error.code]
    if error.retry_after_ms:
        return f"Try again in {max(1, round(error.retry_after_ms / 1000))} s."
    return "Try again." if error.retryable else "protocol/ERRORS.md has a paragraph about this code."
