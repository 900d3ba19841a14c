"""Reads the agents' YAML files, once, and refuses a wrong one by file and field."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta, Struct

from gemini.profiles import Profile, of
from protocol.control import Scheduling

FOLDER = Path(__file__).parent
MODEL = "gemini-3.8-live"  #: used where an agent names none
INSTRUCTION_SHARE = 0.5  #: of the compressed context, at most: the rest is the conversation's
TOKEN_CHARS = 4  #: of English text, about

Name = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[A-Za-z_][A-Za-z0-9_-]*$")]
ModelName = Annotated[str, Meta(min_length=1, max_length=128)]
Override = Literal["voice", "language", "turns", "tools", "cost"]


class AgentError(Exception):
    """An agent's file cannot be used. The text names the file and the field."""


class ServerTool(Struct, frozen=True, forbid_unknown_fields=True):
    """A tool that runs on the server."""

    name: Name
    description: str
    parameters: dict[str, Any] = {}  #: JSON Schema of the arguments
    behavior: Literal["NON_BLOCKING", "BLOCKING"] | None = None  #: BLOCKING: the model is silent meanwhile
    scheduling: Scheduling = "when_idle"  #: when the model speaks of the result


class TurnDetection(Struct, frozen=True, forbid_unknown_fields=True):
    """How the model finds the user's turn, under `turns: auto`. What is absent is the model's own default."""

    silence_ms: Annotated[int, Meta(ge=100, le=5000)] | None = None  #: quiet that ends the turn
    prefix_ms: Annotated[int, Meta(ge=0, le=2000)] | None = None  #: speech that begins it
    sensitivity: Literal["low", "high"] | None = None


class Compression(Struct, frozen=True, forbid_unknown_fields=True):
    """When the oldest context is dropped. Every turn is billed for the whole context, so it always is."""

    trigger_tokens: Annotated[int, Meta(ge=5_000, le=128_000)] = 25_000
    target_tokens: Annotated[int, Meta(ge=0, le=128_000)] = 8_000


class AgentLimits(Struct, frozen=True, forbid_unknown_fields=True):
    session_minutes: Annotated[int, Meta(ge=1, le=600)] | None = None  #: None: as the deployment says
    session_cents: Annotated[int, Meta(ge=1, le=100_000)] | None = None  #: of the model; None: likewise
    idle_minutes: Annotated[float, Meta(gt=0, le=600)] | None = 5.0  #: without a word of anybody; None: never


class Agent(Struct, frozen=True, forbid_unknown_fields=True):
    """One agent. Voice and model names are not checked: the model's list grows faster than ours could."""

    instructions: Annotated[str, Meta(min_length=1, max_length=40_000)]
    model: ModelName = MODEL
    models: list[ModelName] = []  #: instead of `model`: that, and what is used when it cannot be had
    voice: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    language: Annotated[str, Meta(pattern="^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None  #: BCP 47
    greeting: str | None = None  #: the agent speaks first, in this spirit; None: it waits for the user
    search: bool = False  #: the model may search the web; what it finds is cited to the client
    tools: list[ServerTool] = []
    turn_detection: TurnDetection = TurnDetection()
    compression: Compression = Compression()
    thinking_level: Literal["minimal", "low", "medium", "high"] | None = None
    allow: frozenset[Override] = frozenset()  #: what a client may choose, and `cost`: know
    limits: AgentLimits = AgentLimits()
    name: str = ""  #: the file's, never written in it

    @property
    def choices(self) -> tuple[str, ...]:
        """Its models, in the order in which they are tried."""
        return tuple(self.models) or (self.model,)


def load(folder: Path) -> Mapping[str, Agent]:
    """Every agent of a folder by name. Raises AgentError."""
    agents = [read(path) for path in sorted(folder.glob("*.yaml"))]
    return {agent.name: agent for agent in agents}


@functools.cache
def catalogue() -> Mapping[str, Agent]:
    """The agents that this deployment ships with."""
    return load(FOLDER)


def spoken_by(agents: Mapping[str, Agent], model: str) -> Mapping[str, Agent]:
    """The same agents, each with this model in place of its own; as they are when it is empty.

    Raises AgentError for one that asks what the model refuses.
    """
    if not model:
        return agents
    spoken = {name: msgspec.structs.replace(agent, model=model, models=[]) for name, agent in agents.items()}
    for name, agent in spoken.items():
        for field, text in _misfits(agent, model, of(model)):
            raise AgentError(f"{name}: `{field}` {text}")
    return spoken


def read(path: Path) -> Agent:
    """One agent. Raises AgentError."""
    try:
        held = yaml.load(path.read_text(encoding="utf-8"), Loader=_loader())
        agent = msgspec.convert(held, Agent)
    except yaml.YAMLError as error:
        raise AgentError(f"{path.name}: not YAML: {error}") from None
    except msgspec.ValidationError as error:
        raise AgentError(f"{path.name}: {error}") from None
    if agent.models and "model" in held:
        raise AgentError(f"{path.name}: `$.models` names the first model too: leave `$.model` out")
    agent = msgspec.structs.replace(agent, model=agent.choices[0])
    _check(path, agent)
    return msgspec.structs.replace(agent, name=path.stem)


def _loader() -> Any:
    """The C parser where there is one: a cold start reads every agent. Both build plain values only."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _check(path: Path, agent: Agent) -> None:
    names = [tool.name for tool in agent.tools]
    if agent.name:
        raise AgentError(f"{path.name}: `$.name` is the file's name and not written in it")
    if len(set(names)) < len(names):
        raise AgentError(f"{path.name}: `$.tools` has two of one name")
    if agent.compression.target_tokens >= agent.compression.trigger_tokens:
        raise AgentError(f"{path.name}: `$.compression.target_tokens` must be below `trigger_tokens`")
    if len(set(agent.models)) < len(agent.models):
        raise AgentError(f"{path.name}: `$.models` has one of them twice")
    if (kept := _instruction_tokens(agent)) > agent.compression.target_tokens * INSTRUCTION_SHARE:
        what = f"`$.compression.target_tokens` of {agent.compression.target_tokens}"
        raise AgentError(f"{path.name}: {what} keep no conversation beside about {kept} of the instructions")
    for model in agent.choices:
        for field, text in _misfits(agent, model, of(model)):
            raise AgentError(f"{path.name}: `{field}` {text}")


def _instruction_tokens(agent: Agent) -> int:
    """About how much of the model's context is always there: instructions and declared tools."""
    declared = sum(len(tool.description) + len(json.dumps(tool.parameters)) for tool in agent.tools)
    return (len(agent.instructions) + declared) // TOKEN_CHARS


def _misfits(agent: Agent, model: str, profile: Profile) -> Iterator[tuple[str, str]]:
    """(field, what is wrong with it) for all that this model would refuse a connection for."""
    levels, tools = profile.levels.value, profile.tools.value
    if agent.thinking_level and agent.thinking_level not in levels:
        taken = f"takes {', '.join(levels)}" if levels else "takes none"
        yield "$.thinking_level", f"is refused by {model}, which {taken}"
    if agent.search and not profile.search.value:
        yield "$.search", f"is not among the tools of {model}"
    for number, tool in enumerate(agent.tools):
        if tool.scheduling != "when_idle" and (tool.behavior == "BLOCKING" or tools == "blocking"):
            yield f"$.tools[{number}].scheduling", f"has no effect where {model} waits for the result"
        if tool.behavior in _ABSENT[tools]:
            yield f"$.tools[{number}].behavior", f"{tool.behavior} is refused by {model}: leave it out"


#: behaviors of a tool that a model does not have, by its profile
_ABSENT: dict[str, tuple[str, ...]] = {
    "both": (),
    "blocking": ("NON_BLOCKING",),
    "non_blocking": ("BLOCKING",),
    "unwritten": (),
}
