"""Live models and what sets their setups apart.

Sources: Google's model pages and forum threads, as of 2026-11. Google adds names
faster than this table; `Config.models` takes more.
"""

from dataclasses import dataclass
from typing import Literal

Thinking = Literal["refused", "level", "optional"]


@dataclass(frozen=True, slots=True)
class Model:
    name: str
    thinking: Thinking = "optional"
    tools: Literal["both", "blocking", "non_blocking"] = "both"
    non_blocking_by_default: bool = False
    is_always_proactive: bool = False  #: `proactiveAudio: false` is an error
    has_affective_dialog: bool = True
    history_only_at_start: bool = False  #: clientContent is refused once the first turn began
    reports_status: bool = False  #: sends `interactionStatus`
    needs_response_name: bool = False  #: FunctionResponse without `name` is refused
    needs_role: bool = False  #: content without a role, or role "system", is refused


def _new(name: str, thinking: Thinking, tools: Literal["both", "non_blocking"]) -> Model:
    """A model of the 3.8 family."""
    return Model(
        name,
        thinking,
        tools,
        non_blocking_by_default=True,
        is_always_proactive=True,
        has_affective_dialog=False,
        reports_status=True,
        needs_response_name=True,
        needs_role=True,
    )


_ALL = (
    _new("gemini-3.8-live", "refused", "both"),
    _new("gemini-3.8-live-extended-thinking", "level", "non_blocking"),
    Model(
        "gemini-3.1-flash-live-preview",
        tools="blocking",
        has_affective_dialog=False,
        history_only_at_start=True,
        needs_role=True,
    ),
    Model("gemini-3.5-live-translate-preview", has_affective_dialog=False),
    Model("gemini-3.5-transcribe-live", has_affective_dialog=False),
    Model("gemini-2.5-flash-native-audio-preview-12-2025"),
    Model("gemini-2.5-flash-native-audio-preview-09-2025"),
    Model("gemini-live-2.5-flash-preview"),
    Model("gemini-live-2.5-flash-native-audio"),
)

MODELS = {model.name: model for model in _ALL}
