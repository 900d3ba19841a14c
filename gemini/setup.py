"""The whole setup of a Gemini connection, from an agent and what its session asked for.

Keys are google-genai's (`LiveConnectConfig`); no Google import is needed to write them down.
"""

from __future__ import annotations

from typing import Any

from agents.catalogue import Agent, ServerTool
from gemini import profiles
from gemini.profiles import Profile
from gemini.tool_schema import restricted
from protocol.control import ClientTool
from records.sessions import Session

LEAST_THOUGHT = "low"  #: the level of a model that must have one, where the agent names none

_NO_ARGUMENTS = {"type": "object", "properties": {}}


def build(agent: Agent, model: str, session: Session, today: str, *, is_fresh: bool) -> dict[str, Any]:
    """Everything but the resumption handle, for one of the agent's models.

    `today` is a date that the model may know, in ISO form.

    `is_fresh`: there is no handle, the model remembers nothing.
    """
    profile = profiles.of(model)
    language = session.config.language or agent.language
    transcription = {"language_codes": [language]} if language else {}
    return _present(
        {
            "response_modalities": ["AUDIO"],
            "speech_config": _speech(session.config.voice or agent.voice),
            "thinking_config": _thinking(agent, profile),
            "system_instruction": {"parts": [{"text": _instructions(agent, session, language, today)}]},
            "tools": _tools(agent, session, profile),
            "realtime_input_config": {"automatic_activity_detection": _detection(agent, session)},
            "input_audio_transcription": transcription,
            "output_audio_transcription": {},
            "history_config": _history(profile) if is_fresh else None,
            "context_window_compression": {
                "trigger_tokens": agent.compression.trigger_tokens,
                "sliding_window": {"target_tokens": agent.compression.target_tokens},
            },
        }
    )


def tool_names(agent: Agent, session: Session) -> list[str]:
    """Every tool that the model knows of."""
    return [tool.name for tool in agent.tools] + [tool.name for tool in session.tools]


def _present(setup: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in setup.items() if value is not None}


def _speech(voice: str | None) -> dict[str, Any] | None:
    return {"voice_config": {"prebuilt_voice_config": {"voice_name": voice}}} if voice else None


def _thinking(agent: Agent, profile: Profile) -> dict[str, Any] | None:
    level = agent.thinking_level or (LEAST_THOUGHT if profile.thinking.value == "level" else None)
    return {"thinking_level": level.upper()} if level else None


def _history(profile: Profile) -> dict[str, Any] | None:
    """A model that takes earlier turns at its beginning only waits for them, even if there are none."""
    return {"initial_history_in_client_content": True} if profile.waits_for_history else None


def _instructions(agent: Agent, session: Session, language: str | None, today: str) -> str:
    """The agent's own words, then what is true of this conversation."""
    facts = [f"Today is {today} (UTC)."]
    if language:
        facts.append(f"Unless you are asked to change, speak the language with the BCP 47 tag {language}.")
    if agent.greeting and session.next_turn == 1:
        facts.append(f"Open the conversation in the spirit of: {agent.greeting}")
    return f"{agent.instructions.strip()}\n\n" + "\n".join(facts)


def _tools(agent: Agent, session: Session, profile: Profile) -> list[dict[str, Any]] | None:
    declared = [_declare(tool, profile) for tool in agent.tools]
    declared += [_declare(tool, profile) for tool in session.tools]
    found: list[dict[str, Any]] = [{"function_declarations": declared}] if declared else []
    found += [{"google_search": {}}] if agent.search and profile.search.value else []
    return found or None


def _declare(tool: ServerTool | ClientTool, profile: Profile) -> dict[str, Any]:
    return _present(
        {
            "name": tool.name,
            "description": tool.description,
            **_arguments(tool.parameters, profile),
            "behavior": _behavior(tool, profile),
        }
    )


def _arguments(parameters: dict[str, Any], profile: Profile) -> dict[str, Any]:
    """A restricted schema refuses an object without properties: a tool without arguments has no schema."""
    if profile.schema.value == "json_schema":
        return {"parameters_json_schema": parameters or _NO_ARGUMENTS}
    return {"parameters": restricted(parameters)}


def _behavior(tool: ServerTool | ClientTool, profile: Profile) -> str | None:
    """Written where a model has both, for the default differs. One that has but one may refuse the word."""
    wanted = (tool.behavior if isinstance(tool, ServerTool) else None) or "NON_BLOCKING"
    return wanted if profile.tools.value in ("both", "non_blocking") else None


def _detection(agent: Agent, session: Session) -> dict[str, Any]:
    if session.config.turns == "manual":
        return {"disabled": True}
    wanted, level = agent.turn_detection, (agent.turn_detection.sensitivity or "").upper()
    return _present(
        {
            "disabled": False,
            "start_of_speech_sensitivity": f"START_SENSITIVITY_{level}" if level else None,
            "end_of_speech_sensitivity": f"END_SENSITIVITY_{level}" if level else None,
            "prefix_padding_ms": wanted.prefix_ms,
            "silence_duration_ms": wanted.silence_ms,
        }
    )
