"""A setup's tools: what is declared, and what Google refuses of it.

Sources: the model pages on what each model has; livekit/agents#7302 for `additionalProperties`,
googleapis/python-genai#1147 and AidenAI-IO/aiden-firmware#708 for what becomes of `parametersJsonSchema`.
"""

from dataclasses import dataclass
from typing import Any

from simulator.session.models import Model
from simulator.wire.fields import conform_schema
from simulator.wire.refusal import invalid

#: tools of other models, which no live model has
FOREIGN = ("codeExecution", "urlContext", "googleMaps", "computerUse", "fileSearch", "retrieval")


@dataclass(frozen=True, slots=True)
class Declaration:
    """A function the client offers."""

    name: str
    is_blocking: bool
    is_understood: bool = True  #: False: declared in a form that the model cannot call it by


def read(tools: list[dict[str, Any]], model: Model) -> tuple[Declaration, ...]:
    """The declared functions. Raises Refusal."""
    found = []
    for at, tool in enumerate(tools):
        if model.is_strict and any(name in tool for name in FOREIGN):
            raise invalid()
        for number, declared in enumerate(tool.get("functionDeclarations", [])):
            where = f"setup.tools[{at}].function_declarations[{number}].parameters"
            found.append(_declaration(declared, model, where))
    return tuple(found)


def _declaration(declared: dict[str, Any], model: Model, where: str) -> Declaration:
    name = declared.get("name")
    if not isinstance(name, str) or not name:
        raise invalid()
    if model.is_strict and "parameters" in declared:
        conform_schema(declared["parameters"], where)
    understands = model.profile.schema.value == "json_schema" or "parametersJsonSchema" not in declared
    return Declaration(name, _is_blocking(declared.get("behavior"), model), understands)


def _is_blocking(behavior: Any, model: Model) -> bool:
    tools = model.profile.tools.value
    match behavior:
        case None | "UNSPECIFIED":
            return not model.non_blocking_by_default
        case "BLOCKING" if tools != "non_blocking":
            return True
        case "NON_BLOCKING" if tools != "blocking":
            return False
        case _:
            raise invalid()
