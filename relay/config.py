"""The relay's settings, read from the environment once, at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from relay.timeouts import Timeouts


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """A missing or malformed value stops the process with its name."""

    table: str  #: DynamoDB table
    relay: str  #: this task's id in the table
    slot: str  #: its place in the edge's path
    revision: str  #: of the task definition
    mint_function: str
    session_function: str
    gemini_url: str
    host: str = "127.0.0.1"
    port: int = 8080
    address: str = ""  #: host:port that the edge dials; empty: ask ECS
    metadata_url: str = ""  #: of the task, as ECS gives it; empty: not on ECS
    origin_secret_parameter: str = ""  #: SSM name of what our edge sends; empty: nobody else can reach us
    target_groups: tuple[str, ...] = ()  #: the load balancer's, by slot; empty: there is none
    home: Literal["fargate", "microvm"] = "fargate"  #: what the relay lives in
    service: str = "vivavoce"  #: whose metrics these are
    capacity: int = 40  #: calls
    idle_s: float = 300.0  #: without a call for this long the task ends itself
    resume_s: float = 120.0  #: how long a call waits for its client
    drain_s: float = 95.0  #: from SIGTERM to the forced end of calls; ECS kills after 120 s
    rotate_s: float = 510.0  #: age at which a model connection is changed, at the next turn gap
    close_first: bool = True  #: close the old model connection before the new one is opened
    timeouts: Timeouts = field(default_factory=Timeouts)  #: of the watchdogs
    log_level: str = "INFO"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> RelayConfig:
        """Raises ValueError naming every variable that is missing or no number."""
        read = _Reader(env)
        config = cls(
            table=read.text("TABLE_NAME"),
            relay=read.text("RELAY_ID"),
            slot=read.text("RELAY_SLOT"),
            revision=read.text("RELAY_REVISION"),
            mint_function=read.text("MINT_FUNCTION"),
            session_function=read.text("SESSION_FUNCTION"),
            gemini_url=read.text("GEMINI_URL"),
            host=read.text("RELAY_HOST", "127.0.0.1"),
            port=int(read.number("RELAY_PORT", 8080)),
            address=read.text("RELAY_ADDRESS", ""),
            metadata_url=read.text("ECS_CONTAINER_METADATA_URI_V4", ""),
            origin_secret_parameter=read.text("ORIGIN_SECRET_PARAMETER", ""),
            target_groups=tuple(filter(None, read.text("TARGET_GROUPS", "").split(","))),
            home="microvm" if read.text("RELAY_HOME", "fargate") == "microvm" else "fargate",
            service=read.text("POWERTOOLS_SERVICE_NAME", "vivavoce"),
            capacity=int(read.number("RELAY_CAPACITY", 40)),
            idle_s=read.number("IDLE_SECONDS", 300),
            resume_s=read.number("RESUME_SECONDS", 120),
            drain_s=read.number("DRAIN_SECONDS", 95),
            rotate_s=read.number("ROTATE_SECONDS", 510),
            close_first=read.text("ROTATION_ORDER", "close-first") != "open-first",
            timeouts=_timeouts(read),
            log_level=read.text("LOG_LEVEL", "INFO"),
        )
        if read.wrong:
            raise ValueError(f"missing or malformed: {', '.join(read.wrong)}")
        return config


def _timeouts(read: _Reader) -> Timeouts:
    usual = Timeouts()
    return Timeouts(
        answer_s=read.number("ANSWER_SECONDS", usual.answer_s),
        patience_s=read.number("PATIENCE_SECONDS", usual.patience_s),
        stall_s=read.number("STALL_SECONDS", usual.stall_s),
        turn_s=read.number("TURN_SECONDS", usual.turn_s),
        mic_s=read.number("MIC_SILENCE_SECONDS", usual.mic_s),
        model_pong_s=read.number("MODEL_PONG_SECONDS", usual.model_pong_s),
        client_pong_s=read.number("CLIENT_PONG_SECONDS", usual.client_pong_s),
    )


class _Reader:
    """Collects what is wrong, so that it can be said at once."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.wrong: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        value = self._env.get(name, default)
        if value is None:
            self.wrong.append(name)
        return value or ""

    def number(self, name: str, default: float) -> float:
        try:
            return float(self._env.get(name, default))
        except ValueError:
            self.wrong.append(name)
            return default
