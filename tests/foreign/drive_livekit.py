"""livekit-agents with livekit-plugins-google as they come: an agent session without a room."""

import asyncio

from google.genai import types
from livekit import rtc
from livekit.agents import Agent, AgentSession, function_tool
from livekit.agents.voice import io
from livekit.plugins import google
from microphone import KEY, MODEL, URL, WEATHER, Ear, Microphone, tell

CHUNK_MS = 50


class Voice(io.AudioInput):
    """The microphone, as the session wants it."""

    def __init__(self, microphone: Microphone) -> None:
        super().__init__(label="microphone")
        self._chunks = microphone.chunks(CHUNK_MS)

    async def __anext__(self) -> rtc.AudioFrame:
        piece = await anext(self._chunks)
        return rtc.AudioFrame(piece, 16_000, 1, len(piece) // 2)


class Speaker(io.AudioOutput):
    """Plays as long as the sound is."""

    def __init__(self, ear: Ear) -> None:
        super().__init__(
            label="speaker", capabilities=io.AudioOutputCapabilities(pause=False), sample_rate=24_000
        )
        self._ear = ear
        self._began_at, self._length_s = 0.0, 0.0
        self._end: asyncio.TimerHandle | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        now = asyncio.get_running_loop().time()
        if not self._length_s:
            self._began_at = now
        self._length_s += frame.duration
        self._ear.hear(bytes(frame.data))

    def flush(self) -> None:
        super().flush()
        if self._length_s:
            loop = asyncio.get_running_loop()
            self._end = loop.call_at(self._began_at + self._length_s, self._finish, False)

    def clear_buffer(self) -> None:
        if self._length_s:
            self._finish(True)

    def _finish(self, interrupted: bool) -> None:
        if self._end:
            self._end.cancel()
        played_s = min(self._length_s, asyncio.get_running_loop().time() - self._began_at)
        self._length_s = 0.0
        self.on_playback_finished(playback_position=played_s, interrupted=interrupted)


class Weatherman(Agent):
    """An agent with one tool."""

    @function_tool
    async def get_weather(self, city: str = "") -> str:
        """The weather of a city."""
        return WEATHER


async def main() -> None:
    microphone, ear = Microphone(), Ear()
    model = {"model": MODEL} if MODEL else {}
    llm = google.realtime.RealtimeModel(api_key=KEY, http_options=types.HttpOptions(base_url=URL), **model)
    session = AgentSession(llm=llm)
    session.input.audio = Voice(microphone)
    session.output.audio = Speaker(ear)
    session.on("error", lambda event: tell(error=str(event.error)[:200]))
    await session.start(Weatherman(instructions="Be brief."))
    tell(ready=True)
    await microphone.obey()
    await session.aclose()


asyncio.run(main())
