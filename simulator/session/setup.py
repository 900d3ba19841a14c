"""Session setup: its parser, and the rules by which Google refuses one.

Rules as documented and reported in 2026-11: the 3.8 models, proto JSON, and the
close codes and texts in `wire/refusal.py`. Voice names are never checked: Google adds
them faster than anyone can list them.
"""

import re
from dataclasses import dataclass, replace
from typing import Any

from simulator.session import tools
from simulator.session.models import Model
from simulator.session.tools import Declaration
from simulator.speech.turn_detection import DetectionSettings
from simulator.wire import refusal
from simulator.wire.refusal import Refusal, invalid

_INT64 = re.compile(r"[0-9]{1,19}")
CONTEXT_TOKENS = 131_072  #: window of every current model
DEFAULT_TRIGGER = round(CONTEXT_TOKENS * 0.8)  #: compression starts here unless told otherwise


@dataclass(frozen=True, slots=True)
class Compression:
    trigger_tokens: int
    target_tokens: int


@dataclass(frozen=True, slots=True)
class Setup:
    model: Model
    instruction: str
    voice_name: str
    declarations: tuple[Declaration, ...]
    tools_chars: int  #: size of the declarations as JSON; tools are billed as text
    detection: DetectionSettings
    interrupts: bool  #: speech interrupts the answer
    handle: str | None
    compression: Compression | None
    searches: bool  #: Google Search is among its tools
    waits_for_history: bool  #: earlier turns come first, and are not answered; a resumed session has them
    is_vertex: bool = False  #: calls have no id, results no scheduling

    def declared(self, name: str) -> Declaration | None:
        return next((tool for tool in self.declarations if tool.name == name), None)

    def updated(self, update: dict[str, Any]) -> "Setup":
        """After a `contextUpdate`: only what it names changes."""
        changed = self
        if "systemInstruction" in update:
            changed = replace(changed, instruction=text_of(update["systemInstruction"]))
        if "tools" in update:
            given = update["tools"].get("tools", [])
            declarations = tools.read(given, self.model)
            changed = replace(changed, declarations=declarations, tools_chars=len(str(given)))
        return changed


def read(raw: dict[str, Any], version: str, models: dict[str, Model]) -> Setup:
    """The setup in `raw` (camelCase, known fields only). Raises Refusal as Google would."""
    model = _model(raw.get("model"), version, models)
    generation = raw.get("generationConfig", {})
    _check_modalities(generation)
    _check_thinking(generation.get("thinkingConfig"), model)
    _check_extras(raw, generation, model)
    realtime = raw.get("realtimeInputConfig", {})
    given = raw.get("tools", [])
    history = raw.get("historyConfig", {}).get("initialHistoryInClientContent") is True
    handle = _handle(raw.get("sessionResumption"))
    return Setup(
        model=model,
        instruction=text_of(raw.get("systemInstruction", {})),
        voice_name=_voice_name(generation),
        declarations=tools.read(given, model),
        tools_chars=len(str(given)) if given else 0,
        detection=_detection(realtime.get("automaticActivityDetection", {}), model),
        interrupts=_interrupts(realtime.get("activityHandling")),
        handle=handle,
        compression=_compression(raw.get("contextWindowCompression")),
        searches=any("googleSearch" in tool for tool in given),
        waits_for_history=history and model.is_strict and handle is None,
    )


def text_of(content: dict[str, Any]) -> str:
    """All text of a Content, parts joined by a space."""
    parts = content.get("parts", [])
    return " ".join(part["text"] for part in parts if isinstance(part.get("text"), str)).strip()


def _model(name: Any, version: str, models: dict[str, Model]) -> Model:
    known = models.get(name.removeprefix("models/")) if isinstance(name, str) else None
    if known is None or not name.startswith("models/"):
        raise refusal.model_not_found(name if isinstance(name, str) else "", version)
    return known


def _check_modalities(generation: dict[str, Any]) -> None:
    """Unset counts as TEXT: a token that pins nothing but a model was closed with this very text."""
    modalities = generation.get("responseModalities") or ["TEXT"]
    if not isinstance(modalities, list):
        raise invalid()
    if "TEXT" in modalities:
        raise Refusal(refusal.TEXT_MODALITY)
    if modalities != ["AUDIO"]:
        raise invalid()


def _check_thinking(thinking: Any, model: Model) -> None:
    """A level that is not among the model's is refused; the permissive dialect lets the others' pass."""
    level, levels = (thinking or {}).get("thinkingLevel"), model.profile.levels.value
    is_wrong = level is not None and str(level).lower() not in levels
    match model.profile.thinking.value:
        case "refused" if thinking:
            raise invalid()
        case "level" if level is None or is_wrong:
            raise invalid()
        case "optional" if model.is_strict and is_wrong:
            raise invalid()


def _check_extras(raw: dict[str, Any], generation: dict[str, Any], model: Model) -> None:
    if model.is_always_proactive and raw.get("proactivity", {}).get("proactiveAudio") is False:
        raise invalid()
    if "enableAffectiveDialog" in generation and not model.has_affective_dialog:
        raise invalid()
    if raw.get("sessionResumption", {}).get("transparent"):
        raise invalid()  # Vertex only


def _voice_name(generation: dict[str, Any]) -> str:
    config = generation.get("speechConfig", {}).get("voiceConfig", {})
    name = config.get("prebuiltVoiceConfig", {}).get("voiceName", config.get("voice", ""))
    if not isinstance(name, str):
        raise invalid()
    return name


def _detection(given: dict[str, Any], model: Model) -> DetectionSettings:
    """HIGH sensitivities are the Developer API's defaults; what LOW costs is our guess."""
    starts_low = given.get("startOfSpeechSensitivity") == "START_SENSITIVITY_LOW"
    ends_low = given.get("endOfSpeechSensitivity") == "END_SENSITIVITY_LOW"
    silence_ms = given.get("silenceDurationMs") if model.profile.silence_honoured.value else None
    return DetectionSettings(
        disabled=given.get("disabled") is True,
        silence_s=_seconds(silence_ms, 1.2 if ends_low else 0.8),
        commit_s=_seconds(given.get("prefixPaddingMs"), 0.16 if starts_low else 0.06),
        loudness=900.0 if starts_low else 300.0,
    )


def _seconds(given: Any, default: float) -> float:
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= 60_000:
        raise invalid()
    return given / 1000


def _interrupts(handling: Any) -> bool:
    if handling not in (
        None,
        "ACTIVITY_HANDLING_UNSPECIFIED",
        "START_OF_ACTIVITY_INTERRUPTS",
        "NO_INTERRUPTION",
    ):
        raise invalid()
    return bool(handling != "NO_INTERRUPTION")


def _handle(resumption: dict[str, Any] | None) -> str | None:
    handle = (resumption or {}).get("handle")
    if handle is not None and not isinstance(handle, str):
        raise invalid()
    return handle or None


def _compression(given: dict[str, Any] | None) -> Compression | None:
    if given is None:
        return None
    trigger = _tokens(given.get("triggerTokens"), DEFAULT_TRIGGER)
    return Compression(trigger, _tokens(given.get("slidingWindow", {}).get("targetTokens"), trigger // 2))


def _tokens(given: Any, default: int) -> int:
    """int64 in proto JSON may be a string; the JavaScript SDK sends one."""
    if given is None:
        return default
    if isinstance(given, bool) or not _INT64.fullmatch(str(given)):
        raise invalid()
    return int(given)
