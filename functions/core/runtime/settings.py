"""Settings that functions read from deployment.yaml, which is in their bundle as the agents' files are.

CloudFormation is not told of them: it would keep a parameter's last value when the line is taken out again,
and the defaults of the first deployment for ever. `sam build` has checked what is in the file.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).resolve().parents[3] / "deployment.yaml"


class SettingsError(ValueError):
    """A setting, or the file, cannot be used. The text says which and why."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. The functions named read it as the variable of that name."""

    variable: str
    functions: tuple[str, ...]
    default: int | str
    description: str
    least: int = 1  #: of a number
    pattern: str = ".*"  #: of a word
    values: tuple[str, ...] = ()  #: that a word may have; empty: any

    def mistake(self, value: str) -> str:
        """Sentence without its subject; empty for a value that can be used."""
        if isinstance(self.default, int):
            if not re.fullmatch(r"-?\d+", value):
                return f"is {value!r}, and takes a whole number"
            return f"is {value}, and takes {self.least} or more" if int(value) < self.least else ""
        if self.values and value not in self.values:
            return f"is {value!r}, and takes {', '.join(self.values)}"
        return "" if re.fullmatch(self.pattern, value) else f"is {value!r}, and must look like {self.pattern}"


SESSION, MINT, SWEEP, FLEET = ("session",), ("mint",), ("sweep",), ("session", "sweep")
#: CPU units to MiB that Fargate takes with them (AWS, "Task CPU and memory")
FARGATE = {"256": ("512", "1024", "2048"), "512": ("1024", "2048"), "1024": ("2048",)}
SETTINGS = {
    "AllowedOrigins": Setting(
        "ALLOWED_ORIGINS",
        SESSION,
        "",
        "Comma separated web origins that may connect, such as https://app.example.com. Native clients, "
        "whose credential comes in Authorization, need none; the console page's is added.",
    ),
    "MaxSessionMinutes": Setting(
        "MAX_SESSION_MINUTES", SESSION, 30, "Minutes after which a session is ended."
    ),
    "SessionsPerUser": Setting(
        "SESSIONS_PER_USER", SESSION, 3, "Sessions that one user may have at the same time."
    ),
    "StartsPerMinute": Setting(
        "STARTS_PER_MINUTE", SESSION, 10, "Sessions that one user may start in a minute."
    ),
    "MinutesPerDay": Setting("MINUTES_PER_DAY", SESSION, 120, "Minutes that one user may talk in a day."),
    "CentsPerSession": Setting(
        "CENTS_PER_SESSION",
        SESSION,
        0,
        "US cents that the model may cost in one session; the agent says goodbye before. 0 - no limit.",
        least=0,
    ),
    "CentsPerUserDay": Setting(
        "CENTS_PER_USER_DAY",
        SESSION,
        1000,
        "US cents that the model may cost for one user in a day. 0 - no limit.",
        least=0,
    ),
    "CentsPerDay": Setting(
        "CENTS_PER_DAY",
        SESSION,
        10000,
        "US cents that the model may cost for all users together in a day. 0 - no limit.",
        least=0,
    ),
    "MaxRelays": Setting(
        "RELAY_SLOTS",
        FLEET,
        50,
        "The most relays at a time, which bounds what a runaway can cost. With MediaIngress alb at most 8.",
    ),
    "RelayCpu": Setting(
        "RELAY_CPU",
        FLEET,
        "256",
        "CPU units of one relay task (1024 is one vCPU).",
        values=tuple(FARGATE),
    ),
    "RelayMemory": Setting(
        "RELAY_MEMORY",
        FLEET,
        "512",
        "Memory of one relay task in MiB. 512 goes with 256 CPU units only, and 1024 CPU units with 2048.",
        values=("512", "1024", "2048"),
    ),
    "RelayCapacity": Setting("RELAY_CAPACITY", FLEET, 40, "Calls that one relay task takes."),
    "MicrovmCapacity": Setting(
        "MICROVM_CAPACITY",
        FLEET,
        3,
        "Calls that one relay in a MicroVM takes, whose proxy carries 1 MB/s for each vCPU.",
    ),
    "IdleSeconds": Setting(
        "IDLE_SECONDS",
        FLEET,
        300,
        "Seconds that a relay task waits without a call before it ends itself.",
        least=0,
    ),
    "ResumeSeconds": Setting(
        "RESUME_SECONDS", FLEET, 120, "Seconds that a call survives without its client."
    ),
    "WarmRelays": Setting(
        "WARM_RELAYS",
        SWEEP,
        0,
        "Relay tasks that are kept ready while nobody talks, so that nobody waits for one to start. Each "
        "costs about 11 USD a month at 0.25 vCPU.",
        least=0,
    ),
    "SleepingRelays": Setting(
        "SLEEPING_RELAYS",
        SWEEP,
        0,
        "Suspended MicroVMs that are kept, so that a first caller waits for about a second. Each costs about "
        "35 cents a month.",
        least=0,
    ),
    "PrepareRelays": Setting(
        "PREPARES",
        SESSION,
        "sleeping",
        "The most that may be started for a user who has connected and not yet asked for a call, once a "
        "minute for all of them. sleeping - a sleeping MicroVM is woken. microvm - one is launched too, a "
        "fifth of a cent if nobody calls. task - a Fargate task too.",
        values=("nothing", "sleeping", "microvm", "task"),
    ),
    "GeminiModel": Setting(
        "GEMINI_MODEL",
        MINT,
        "",
        "The model that every agent talks with, in place of its own. Empty - as the agents' files say.",
        pattern="[A-Za-z0-9._/-]{0,128}",
    ),
    "TokenLock": Setting(
        "TOKEN_LOCK",
        MINT,
        "full",
        "Whether an ephemeral token locks the whole setup (full) or all but the resumption handle (masked).",
        values=("full", "masked"),
    ),
    "VertexProject": Setting(
        "VERTEX_PROJECT",
        MINT,
        "",
        "A Google Cloud project whose Vertex AI has the models, in place of the Gemini API and its key. "
        "Empty - the Gemini API.",
        pattern="[a-z0-9:.-]{0,63}",
    ),
    "VertexLocation": Setting(
        "VERTEX_LOCATION",
        MINT,
        "",
        "With VertexProject, where the models run, such as us-central1 or global.",
        pattern="[a-z0-9-]{0,32}",
    ),
    "VertexProvider": Setting(
        "VERTEX_PROVIDER",
        MINT,
        "",
        "With VertexProject, the workload identity provider that knows mint's role.",
        pattern=r"(//iam\.googleapis\.com/projects/[0-9]+/locations/global/workloadIdentityPools/[a-z0-9-]+"
        r"/providers/[a-z0-9-]+)?",
    ),
    "VertexServiceAccount": Setting(
        "VERTEX_SERVICE_ACCOUNT",
        MINT,
        "",
        "With VertexProject, the service account that mint becomes there.",
        pattern=r"([a-z0-9-]+@[a-z0-9.-]+)?",
    ),
}


def disagreement(given: Mapping[str, str]) -> str:
    """What is wrong of settings that are each right, in a sentence; empty where they go together."""
    cpu, memory = (str(given.get(name, SETTINGS[name].default)) for name in ("RelayCpu", "RelayMemory"))
    if cpu not in FARGATE or memory in FARGATE[cpu]:
        return ""
    return f"RelayMemory is {memory}, and with {cpu} CPU units Fargate takes {', '.join(FARGATE[cpu])}"


def read(path: Path) -> dict[str, str]:
    """Everything that the file sets, as SAM hands it to CloudFormation. Raises SettingsError, OSError."""
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise SettingsError(f"{path.name} is not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(found or {}, dict):
        raise SettingsError(f"{path.name} does not hold `Name: value` lines")
    return {str(name): _as_sam_reads(value) for name, value in (found or {}).items()}


def _as_sam_reads(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(str(each).strip() for each in value if each not in (None, ""))
    return "" if value is None else str(value)


def variables(given: Mapping[str, str], function: str = "") -> dict[str, str]:
    """The settings among `given` as variables, of one function or of all. Raises SettingsError."""
    mine = {name: each for name, each in SETTINGS.items() if name in given}
    wrong = [f"{name} {said}" for name, each in mine.items() if (said := each.mistake(given[name]))]
    if wrong := wrong or list(filter(None, [disagreement(given)])):
        raise SettingsError("; ".join(wrong))
    return {
        each.variable: given[name]
        for name, each in mine.items()
        if not function or function in each.functions
    }


@functools.cache
def _of_file(file: Path) -> Mapping[str, str]:
    return variables(read(file)) if file.exists() else {}


def laid_under(environment: Mapping[str, str], file: Path = FILE) -> Mapping[str, str]:
    """`environment` with what the file sets where it says nothing. Raises SettingsError."""
    return {**_of_file(file), **environment}
