"""The product's own setup for the scenes of a first contact, and messages in Google's JSON."""

from __future__ import annotations

from binascii import b2a_base64
from dataclasses import dataclass
from typing import Any

from agents.catalogue import Agent, TurnDetection
from gemini import setup as product
from gemini.profiles import Profile
from protocol.control import ClientTool, Config
from records.sessions import Session

TOOL = "doctor_probe"
OTHER_TOOL = "probe"  #: declared in setups that should be refused; it is never called
INSTRUCTIONS = (
    "You are being tested. Answer in one short sentence. When the user writes 'call NAME {JSON}', call the "
    "function of that name with those arguments; when its result comes, say the result."
)
_TOOL = ClientTool(
    name=TOOL,
    description="Returns a word for a city.",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


@dataclass(frozen=True, slots=True)
class Kit:
    """The model that is met, and what is believed of it."""

    model: str  #: without `models/`
    profile: Profile
    today: str

    def setup(
        self, *, silence_ms: int | None = None, manual: bool = False, tool: bool = False
    ) -> dict[str, Any]:
        """The setup that a token locks, as mint builds it for an agent."""
        detection = TurnDetection(silence_ms=silence_ms)
        agent = Agent(INSTRUCTIONS, self.model, turn_detection=detection, name="doctor")
        session = _session(Config(turns="manual" if manual else "auto"), [_TOOL] if tool else [])
        return product.build(agent, self.model, session, self.today, is_fresh=False)

    def first(self, **more: Any) -> dict[str, Any]:
        """A first message for an open token, with the least that the model takes, and `more` of a setup."""
        generation: dict[str, Any] = {"responseModalities": ["AUDIO"]}
        if self.profile.thinking.value == "level":
            generation["thinkingConfig"] = {"thinkingLevel": "LOW"}
        generation |= more.pop("generation", {})
        base = {
            "model": f"models/{self.model}",
            "generationConfig": generation,
            "outputAudioTranscription": {},
        }
        return {"setup": {**base, **more}}

    def say(self, text: str) -> dict[str, Any]:
        """Typed text, the way that the profile says."""
        return realtime(text) if self.profile.text.value == "realtime" else content(text)


def content(*texts: str, complete: bool = True) -> dict[str, Any]:
    """User and model speak in turn, the user first."""
    roles = ("user", "model")
    turns = [{"role": roles[at % 2], "parts": [{"text": text}]} for at, text in enumerate(texts)]
    return {"clientContent": {**({"turns": turns} if turns else {}), "turnComplete": complete}}


STOP = content(complete=False)  #: ends the answer that is under way, as the relay does it


def realtime(text: str) -> dict[str, Any]:
    return {"realtimeInput": {"text": text}}


def audio(pcm: bytes) -> dict[str, Any]:
    """One stretch of 16 kHz audio."""
    blob = {"mimeType": "audio/pcm;rate=16000", "data": b2a_base64(pcm, newline=False).decode()}
    return {"realtimeInput": {"audio": blob}}


def result(
    call: dict[str, Any], output: str, *, named: bool = True, scheduling: str | None
) -> dict[str, Any]:
    """The answer to a function call."""
    response = {"id": call.get("id", ""), "response": {"output": output}}
    response |= {"name": call.get("name", TOOL)} if named else {}
    response |= {"scheduling": scheduling} if scheduling else {}
    return {"toolResponse": {"functionResponses": [response]}}


def _session(config: Config, tools: list[ClientTool]) -> Session:
    """A session that is in no table: the setup is built from one."""
    return Session(
        id="doctor",
        user="doctor",
        request="",
        agent="doctor",
        config=config,
        tools=tools,
        metadata={},
        state="OPEN",
        epoch=1,
        relay="",
        joined_epoch=1,
        connection="",
        request_seq=0,
        answered_seq=0,
        moved_seq=0,
        origin="",
        created_at=0,
        ends_at=0,
        next_turn=1,
        handle=None,
        keys={},
    )
