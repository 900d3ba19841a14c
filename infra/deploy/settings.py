"""deployment.yaml: what an operator sets of the template's parameters.

The file is `sam deploy`'s (samconfig.toml names it), read here as SAM reads it, and checked against the
template before anything is deployed. `python -m infra.deploy.settings` writes it anew: what is set stays set.
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

from infra.deploy.embed import TEMPLATE

SETTINGS = TEMPLATE.with_name("deployment.yaml")
WIDTH = 110
HEAD = """\
# Settings of your deployment. `sam deploy` reads them. What stays commented out keeps its default, which a
# later version may improve. `vivavoce doctor --before` checks them; docs/deploy.md says more of each. Words
# like "true" go in quotes, and lists may be written as lists.
# The comments are from template.yaml, by `python -m infra.deploy.settings`, which keeps what is set.
"""
_SECTION = re.compile(r"  # -- (.+)")
_NAME = re.compile(r"  (\w+):")

Parameters = Mapping[str, Mapping[str, Any]]


class SettingsError(ValueError):
    """The file is no mapping of names to values; the message says what it is."""


def read(path: Path = SETTINGS) -> dict[str, str]:
    """What is set, as SAM hands it to CloudFormation. Raises SettingsError, OSError."""
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise SettingsError(f"{path.name} is not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(found or {}, dict):
        raise SettingsError(f"{path.name} does not hold `Name: value` lines")
    return {str(name): _as_sam_reads(value) for name, value in (found or {}).items()}


def defaults(template: Path = TEMPLATE) -> dict[str, str]:
    """What counts where nothing is set."""
    parameters: Parameters = yaml_parse(template.read_text("utf-8"))["Parameters"]
    return {name: str(each["Default"]) for name, each in parameters.items()}


def _as_sam_reads(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(str(each).strip() for each in value if each not in (None, ""))
    return "" if value is None else str(value)


def mistakes(given: Mapping[str, str], template: Path = TEMPLATE) -> Iterator[str]:
    """What CloudFormation would refuse of these settings, minutes later; in one sentence each."""
    parameters = yaml_parse(template.read_text("utf-8"))["Parameters"]
    for name, value in given.items():
        if name not in parameters:
            near = difflib.get_close_matches(name, parameters, 1)
            yield f"{name} is no setting" + (f"; is {near[0]} meant?" if near else "")
        elif wrong := _mistake(parameters[name], value):
            yield f"{name} {wrong}"


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
    """The file's text: each parameter with its description, commented out where it is not `given`."""
    text = template.read_text("utf-8")
    parameters: Parameters = yaml_parse(text)["Parameters"]
    lines = [HEAD.rstrip()]
    for line in text.partition("\nParameters:\n")[2].splitlines():
        if line and not line.startswith(" "):
            break
        if section := _SECTION.fullmatch(line):
            lines += ["", f"# ---- {section[1]}"]
        elif name := _NAME.fullmatch(line):
            lines += _entry(name[1], parameters[name[1]], given)
    return "\n".join(lines) + "\n"


def _entry(name: str, parameter: Mapping[str, Any], given: Mapping[str, str]) -> list[str]:
    told = textwrap.wrap(str(parameter["Description"]), WIDTH, initial_indent="# ", subsequent_indent="# ")
    value = given.get(name, parameter["Default"])
    shown = _quoted(value) if parameter["Type"] == "String" else str(value)
    return [*told, f"{'' if name in given else '#'}{name}: {shown}"]


def _quoted(value: str) -> str:
    """As YAML reads it back as a string."""
    is_plain = value and yaml.safe_load(value) == value and not value.startswith(("//", "*", "&"))
    return value if is_plain else f'"{value}"'


if __name__ == "__main__":
    SETTINGS.write_text(written(read() if SETTINGS.exists() else {}), "utf-8")
