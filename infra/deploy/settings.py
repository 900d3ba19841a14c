"""deployment.yaml: what an operator sets, of the template's parameters and of what functions read themselves.

The file is `sam deploy`'s (samconfig.toml names it) and in the functions' bundles, read here as SAM reads it,
and checked before anything is deployed. `python -m infra.deploy.settings` writes it anew: what is set stays.
"""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from samtranslator.yaml_helper import yaml_parse

from functions.core.runtime import settings
from functions.core.runtime.settings import SETTINGS as SETTINGS_OF_FUNCTIONS
from functions.core.runtime.settings import SettingsError
from infra.deploy.embed import TEMPLATE

__all__ = ["SettingsError"]

SETTINGS = TEMPLATE.with_name("deployment.yaml")
WIDTH = 110
HEAD = """\
# Settings of your deployment. `sam build` checks them, and `sam build && sam deploy` brings them about. What
# stays commented out has its default. docs/deploy.md says more of each. Words like "true" go in quotes, and
# lists may be written as lists.
# The comments are made by `python -m infra.deploy.settings`, which keeps what is set.

# ==== Parameters of the stack: what was deployed once stays until something else is written; to go back,
# write the default.
"""
READ_BY_FUNCTIONS = """
# ==== Read by functions from this file: a line that is commented out again is the default again.

# ---- who may connect, what one user may have, relays, and the model
"""
_SECTION = re.compile(r"  # -- (.+)")
_NAME = re.compile(r"  (\w+):")

Parameters = Mapping[str, Mapping[str, Any]]


def read(path: Path = SETTINGS) -> dict[str, str]:
    """What is set, as SAM hands it to CloudFormation. Raises SettingsError, OSError."""
    return settings.read(path)


def defaults(template: Path = TEMPLATE) -> dict[str, str]:
    """What counts where nothing is set."""
    parameters: Parameters = yaml_parse(template.read_text("utf-8"))["Parameters"]
    own = {name: str(each.default) for name, each in SETTINGS_OF_FUNCTIONS.items()}
    return own | {name: str(each["Default"]) for name, each in parameters.items()}


def mistakes(given: Mapping[str, str], template: Path = TEMPLATE) -> Iterator[str]:
    """What would be refused of these settings, minutes later; in one sentence each."""
    parameters = yaml_parse(template.read_text("utf-8"))["Parameters"]
    for name, value in given.items():
        if own := SETTINGS_OF_FUNCTIONS.get(name):
            if said := own.mistake(value):
                yield f"{name} {said}"
        elif name not in parameters:
            near = difflib.get_close_matches(name, [*parameters, *SETTINGS_OF_FUNCTIONS], 1)
            yield f"{name} is no setting" + (f"; is {near[0]} meant?" if near else "")
        elif wrong := _mistake(parameters[name], value):
            yield f"{name} {wrong}"
    if said := settings.disagreement(given):
        yield said


def _mistake(parameter: Mapping[str, Any], value: str) -> str:
    """Empty for a value that the parameter takes."""
    allowed = [str(each) for each in parameter.get("AllowedValues", ())]
    if allowed and value not in allowed:
        quoted = f'; write "{value.lower()}", in quotes' if value.lower() in allowed else ""
        return f"is {value!r}, and takes {', '.join(allowed)}{quoted}"
    if parameter["Type"] == "Number":
        return _number_mistake(parameter, value)
    if not re.fullmatch(str(parameter.get("AllowedPattern", ".*")), value):
        return f"is {value!r}, and must look like {parameter['AllowedPattern']}"
    return ""


def _number_mistake(parameter: Mapping[str, Any], value: str) -> str:
    if not re.fullmatch(r"-?\d+(\.\d+)?", value):
        return f"is {value!r}, and takes a number"
    if float(value) < parameter.get("MinValue", float("-inf")):
        return f"is {value}, and takes {parameter['MinValue']} or more"
    if float(value) > parameter.get("MaxValue", float("inf")):
        return f"is {value}, and takes {parameter['MaxValue']} or less"
    return ""


def written(given: Mapping[str, str], template: Path = TEMPLATE) -> str:
    """The file's text: each setting with its description, commented out where it is not `given`."""
    text = template.read_text("utf-8")
    parameters: Parameters = yaml_parse(text)["Parameters"]
    lines = [HEAD.rstrip()]
    for line in text.partition("\nParameters:\n")[2].splitlines():
        if line and not line.startswith(" "):
            break
        if section := _SECTION.fullmatch(line):
            lines += ["", f"# ---- {section[1]}"]
        elif name := _NAME.fullmatch(line):
            found = parameters[name[1]]
            default = found["Default"] if found["Type"] == "String" else int(found["Default"])
            lines += _entry(name[1], str(found["Description"]), default, given)
    lines.append(READ_BY_FUNCTIONS.rstrip())
    for own, each in SETTINGS_OF_FUNCTIONS.items():
        lines += _entry(own, each.description, each.default, given)
    return "\n".join(lines) + "\n"


def _entry(name: str, description: str, default: str | int, given: Mapping[str, str]) -> list[str]:
    told = textwrap.wrap(description, WIDTH, initial_indent="# ", subsequent_indent="# ")
    value = str(given.get(name, default))
    shown = _quoted(value) if isinstance(default, str) else value
    return [*told, f"{'' if name in given else '#'}{name}: {shown}"]


def _quoted(value: str) -> str:
    """As YAML reads it back as a string."""
    is_plain = value and yaml.safe_load(value) == value and not value.startswith(("//", "*", "&"))
    return value if is_plain else f'"{value}"'


if __name__ == "__main__":
    SETTINGS.write_text(written(read() if SETTINGS.exists() else {}), "utf-8")
