"""Live models and what sets their setups and their habits apart.

A model's habits are those of its profile (`gemini/profiles.py`), or under the permissive dialect those of a
service that says and takes whatever any model does. Google adds names faster than this table;
`Config.models` takes more.
"""

from dataclasses import dataclass, replace
from typing import Literal

from gemini.profiles import V2_5, V3_8, Fact, History, Profile, of

Dialect = Literal["profile", "permissive"]


@dataclass(frozen=True, slots=True)
class Model:
    name: str
    profile: Profile
    is_strict: bool = False  #: refuses what Google refuses of this model in a setup
    is_served: bool = True  #: on the Developer API's v1beta
    has_affective_dialog: bool = False
    needs_role: bool = False  #: content without a role, or role "system", is refused

    @property
    def non_blocking_by_default(self) -> bool:
        return self.profile.family.startswith(V3_8.family)

    @property
    def is_always_proactive(self) -> bool:
        """`proactiveAudio: false` is an error."""
        return self.profile.family.startswith(V3_8.family)

    @property
    def reports_status(self) -> bool:
        """Sends `interactionStatus`."""
        return self.profile.status.value


_ALL = (
    *(
        Model(name, of(name), needs_role=True)
        for name in ("gemini-3.8-live", "gemini-3.8-live-extended-thinking", "gemini-3.1-flash-live-preview")
    ),
    *(Model(name, of(name)) for name in ("gemini-3.5-live-translate-preview", "gemini-3.5-transcribe-live")),
    *(
        Model(f"gemini-2.5-flash-native-audio-preview-{date}", V2_5, has_affective_dialog=True)
        for date in ("12-2025", "09-2025")
    ),
    # Gone from v1beta (vellum-ai/vellum-assistant#39558), and Vertex's own.
    Model("gemini-live-2.5-flash-preview", V2_5, is_served=False, has_affective_dialog=True),
    Model("gemini-live-2.5-flash-native-audio", V2_5, is_served=False, has_affective_dialog=True),
)


def table(dialect: Dialect) -> dict[str, Model]:
    """Every model by its name, as it behaves in this dialect."""
    if dialect == "permissive":
        return {model.name: replace(model, profile=_permissive(model.profile)) for model in _ALL}
    return {model.name: replace(model, is_strict=True) for model in _ALL if model.is_served}


def _permissive(profile: Profile) -> Profile:
    """The same family as it would be easiest to talk to."""
    ours = "docs/sources.md#gemini-profiles"
    yes, no = Fact(True, "guessed", ours), Fact(False, "guessed", ours)
    history: Fact[History] = profile.history
    if history.value == "history_config":
        history = Fact("at_start", "guessed", ours)
    return replace(
        profile,
        flush=Fact("stream_end", "guessed", ours),
        voice_activity=yes,
        schema=Fact("json_schema", "guessed", ours),
        history=history,
        client_content_interrupts=no,
        context_update=yes,
        proactive=no,
        splits_replies=no,
        search=yes,
        silence_honoured=yes,
    )
