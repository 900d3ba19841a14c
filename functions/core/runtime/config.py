"""Configuration of each function, read from its environment once. Raises the name of a missing value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self, cast, get_args

from records.budgets import Limits
from records.start_times import Home

Environment = Mapping[str, str]

MOST_PLACES = 1_000  #: more relays than anybody has, where nothing but RELAY_SLOTS bounds them

#: What may be started for somebody who has only connected; each with those before it.
Prepares = Literal["nothing", "sleeping", "microvm", "task"]

CENT = 10_000  #: micro-dollars
NO_BUDGET = Limits()


class ConfigError(Exception):
    """Missing or invalid value in the environment. The text is its name."""


@dataclass(frozen=True, slots=True)
class ConnectConfig:
    """Settings of `$connect`: accepted credentials and origins."""

    table_name: str
    jwt_secret_parameter: str  #: SSM name of the HS256 secret; not read when there is an issuer
    oidc_issuer: str  #: URL, or empty
    oidc_audience: str  #: empty: not checked
    allowed_origins: frozenset[str]  #: of apps and our page; `*` means any; empty means native clients only

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(
            table_name=_text(env, "TABLE_NAME"),
            jwt_secret_parameter=env.get("JWT_SECRET_PARAMETER", ""),
            oidc_issuer=env.get("OIDC_ISSUER", ""),
            oidc_audience=env.get("OIDC_AUDIENCE", ""),
            allowed_origins=frozenset(
                origin.rstrip("/")  # a function's URL ends with one, and people write it
                for name in ("ALLOWED_ORIGINS", "PAGE_ORIGINS")
                for origin in _list(env.get(name, ""))
            ),
        )


@dataclass(frozen=True, slots=True)
class DisconnectConfig:
    """Settings of `$disconnect`."""

    table_name: str

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(_text(env, "TABLE_NAME"))


@dataclass(frozen=True, slots=True)
class MicrovmConfig:
    """Parameters of a relay's start in a MicroVM."""

    image: str  #: ARN
    version: str  #: of the image
    role: str  #: ARN of what the relay may do
    log_group: str
    capacity: int = 3  #: calls of one
    port: int = 8080  #: where the relay listens in it

    @property
    def revision(self) -> str:
        """New calls go to relays of this revision only."""
        return f"{self.image}:{self.version}"

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(
            image=_text(env, "MICROVM_IMAGE"),
            version=_text(env, "MICROVM_VERSION"),
            role=_text(env, "MICROVM_ROLE"),
            log_group=_text(env, "MICROVM_LOGS"),
            capacity=_number(env, "MICROVM_CAPACITY", 3),
        )


@dataclass(frozen=True, slots=True)
class TaskConfig:
    """Parameters of a relay's start as a task of ECS."""

    cluster: str
    definition: str
    subnets: tuple[str, ...]
    security_group: str
    revision: str
    capacity: int = 40  #: calls of one
    idle_s: int = 300  #: one without a call ends itself after this
    cpu: str = "256"  #: units, and
    memory: str = "512"  #: MiB, of which Fargate takes certain pairs

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(
            cluster=_text(env, "CLUSTER"),
            definition=_text(env, "RELAY_TASK_DEFINITION"),
            subnets=_list(_text(env, "RELAY_SUBNETS")),
            security_group=_text(env, "RELAY_SECURITY_GROUP"),
            revision=_text(env, "RELAY_REVISION"),
            capacity=_number(env, "RELAY_CAPACITY", 40),
            idle_s=_number(env, "IDLE_SECONDS", 300, least=0),
            cpu=env.get("RELAY_CPU") or "256",
            memory=env.get("RELAY_MEMORY") or "512",
        )


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """Parameters of a relay's start, in each of its homes."""

    task: TaskConfig | None = None  #: None: no relay is a task
    microvm: MicrovmConfig | None = None  #: None: no relay lives in one
    homes: tuple[Home, ...] = ("fargate",)  #: what relays may live in; the first is tried first
    slots: int = 50  #: most relays at a time; bounds the cost of a runaway
    resume_s: int = 120  #: for so long a call waits for its client

    def revision_of(self, home: Home) -> str:
        """Revision that new relays of that home have; empty where there are none."""
        found = self._of(home)
        return found.revision if found else ""

    def capacity_of(self, home: Home) -> int:
        """Calls of one relay of that home."""
        found = self._of(home)
        return found.capacity if found else 0

    def _of(self, home: Home) -> TaskConfig | MicrovmConfig | None:
        return self.microvm if home == "microvm" else self.task

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        homes = _homes(env)
        return cls(
            task=TaskConfig.from_env(env) if "fargate" in homes else None,
            microvm=MicrovmConfig.from_env(env) if "microvm" in homes else None,
            homes=homes,
            slots=min(_number(env, "RELAY_SLOTS", 50), _number(env, "RELAY_PLACES", MOST_PLACES)),
            resume_s=_number(env, "RESUME_SECONDS", 120),
        )


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """Limits per user."""

    session_minutes: int  #: longest duration of a session
    resume_s: int  #: resume window of a session without a client
    sessions: int  #: open at the same time
    starts: int  #: a minute
    day_minutes: int  #: a day (UTC), over all sessions
    money: Limits = NO_BUDGET  #: micro-dollars

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(
            session_minutes=_number(env, "MAX_SESSION_MINUTES", 30),
            resume_s=_number(env, "RESUME_SECONDS", 120),
            sessions=_number(env, "SESSIONS_PER_USER", 3),
            starts=_number(env, "STARTS_PER_MINUTE", 10),
            day_minutes=_number(env, "MINUTES_PER_DAY", 120),
            money=Limits(
                session=_number(env, "CENTS_PER_SESSION", 0, least=0) * CENT,
                user=_number(env, "CENTS_PER_USER_DAY", 1_000, least=0) * CENT,
                deployment=_number(env, "CENTS_PER_DAY", 10_000, least=0) * CENT,
            ),
        )


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Settings of `session`."""

    table_name: str
    connections_url: str  #: https, with the stage
    media_url: str  #: wss, without a path; a signed route to a task is appended. Empty: no relay is one
    route_key_parameter: str  #: SSM name of the key that signs routes
    mint_function: str  #: name
    relay: RelayConfig
    limits: LimitsConfig
    prepares: Prepares = "sleeping"  #: the most that a connection may start before it asks for it

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        relay = RelayConfig.from_env(env)
        return cls(
            table_name=_text(env, "TABLE_NAME"),
            connections_url=_text(env, "CONNECTIONS_URL"),
            media_url=_text(env, "MEDIA_URL").rstrip("/") if relay.task else "",
            route_key_parameter=_text(env, "ROUTE_KEY_PARAMETER"),
            mint_function=_text(env, "MINT_FUNCTION"),
            relay=relay,
            limits=LimitsConfig.from_env(env),
            prepares=_prepares(env),
        )


@dataclass(frozen=True, slots=True)
class SweepConfig:
    """Settings of `sweep`."""

    table_name: str
    connections_url: str  #: https, with the stage
    relay: RelayConfig
    resume_s: int  #: resume window of a session without a client
    warm_relays: int  #: relays that are kept running without calls
    sleeping_relays: int = 0  #: suspended ones that are kept

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(
            table_name=_text(env, "TABLE_NAME"),
            connections_url=_text(env, "CONNECTIONS_URL"),
            relay=RelayConfig.from_env(env),
            resume_s=_number(env, "RESUME_SECONDS", 120),
            warm_relays=_number(env, "WARM_RELAYS", 0, least=0),
            sleeping_relays=_number(env, "SLEEPING_RELAYS", 0, least=0),
        )


@dataclass(frozen=True, slots=True)
class MintConfig:
    """Settings of `mint`."""

    table_name: str
    gemini_key_parameter: str  #: SSM name of the long-lived key
    gemini_url: str  #: base URL of the Gemini API
    token_lock: Literal["full", "masked"]
    gemini_model: str  #: in place of every agent's own; empty: as the agents say
    vertex_project: str = ""  #: of Google Cloud; empty: the Gemini API, by tokens
    vertex_location: str = ""
    vertex_provider: str = ""  #: workload identity provider, by its full name
    vertex_service_account: str = ""

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        lock = env.get("TOKEN_LOCK", "full")
        if lock not in ("full", "masked"):
            raise ConfigError("TOKEN_LOCK")
        return cls(
            table_name=_text(env, "TABLE_NAME"),
            gemini_key_parameter=_text(env, "GEMINI_KEY_PARAMETER"),
            gemini_url=_text(env, "GEMINI_URL"),
            token_lock="masked" if lock == "masked" else "full",
            gemini_model=env.get("GEMINI_MODEL", ""),
            **_vertex(env),
        )


def _vertex(env: Environment) -> dict[str, str]:
    """Settings of Vertex AI: all of them, or none."""
    names = ("PROJECT", "LOCATION", "PROVIDER", "SERVICE_ACCOUNT")
    if not env.get("VERTEX_PROJECT"):
        return {}
    return {f"vertex_{name.lower()}": _text(env, f"VERTEX_{name}") for name in names}


@dataclass(frozen=True, slots=True)
class KeysConfig:
    """Settings of `keys`: destinations of the keys."""

    route_key_parameter: str
    origin_secret_parameter: str
    jwt_secret_parameter: str  #: of the secret that the deployment makes
    makes_jwt_secret: bool  #: False: the operator brings one, or an issuer
    edge_store: str  #: ARN of the edge's key value store; empty: there is no edge, and no key of it

    @classmethod
    def from_env(cls, env: Environment) -> Self:
        return cls(
            route_key_parameter=_text(env, "ROUTE_KEY_PARAMETER"),
            origin_secret_parameter=_text(env, "ORIGIN_SECRET_PARAMETER"),
            jwt_secret_parameter=_text(env, "JWT_SECRET_PARAMETER"),
            makes_jwt_secret=_text(env, "MAKES_JWT_SECRET") == "true",
            edge_store=env.get("EDGE_STORE", ""),
        )


def _homes(env: Environment) -> tuple[Home, ...]:
    """With both, calls begin in MicroVMs, which are there sooner."""
    homes: dict[str, tuple[Home, ...]] = {
        "fargate": ("fargate",),
        "microvm": ("microvm",),
        "both": ("microvm", "fargate"),
    }
    asked = env.get("RELAY_HOMES") or "fargate"
    if asked not in homes:
        raise ConfigError("RELAY_HOMES")
    return homes[asked]


def _prepares(env: Environment) -> Prepares:
    asked = env.get("PREPARES") or "sleeping"
    if asked not in get_args(Prepares):
        raise ConfigError("PREPARES")
    return cast(Prepares, asked)


def _text(env: Environment, name: str) -> str:
    if not env.get(name):
        raise ConfigError(name)
    return env[name]


def _number(env: Environment, name: str, default: int, least: int = 1) -> int:
    try:
        number = int(env.get(name) or default)
    except ValueError:
        raise ConfigError(name) from None
    if number < least:
        raise ConfigError(name)
    return number


def _list(value: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in value.split(",") if entry.strip())
