"""One leg's uplink: what the queue holds goes to the model, and the quiet that a paused microphone lacks.

A model may ignore that the stream has ended (openclaw#152830): its voice detection wants to hear quiet. It
gets that in real time, as of a microphone: what a model makes of a second of it at once, nobody has reported.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from gemini.messages import SILENCE_MS, AnswerTool, FlushAudio, ModelCommand, ShowImage, StopAnswer
from relay.model.port import ModelLeg
from relay.model.replay_buffer import ReplayBuffer
from relay.model.uplink_queue import Quiet, Speech, UplinkQueue
from relay.share import Share

PIECE_S = 0.1  #: of silence in one message
SILENCE = bytes(3_200)  #: so much of it at 16 kHz
MARGIN_MS = 400  #: of silence beyond what ends a turn


class Sender:
    """Sends to one leg. What is sent is kept in the ring, to be said again when the leg is lost."""

    def __init__(self, leg: ModelLeg, silence_ms: int, uplink: UplinkQueue, ring: ReplayBuffer) -> None:
        """`silence_ms` of quiet end the user's turn by the agent's setup; not every model keeps to less."""
        self._leg, self._uplink, self._replay = leg, uplink, ring
        self._pieces = -(-(max(silence_ms, SILENCE_MS) + MARGIN_MS) // 100)
        self._share = Share()
        self._is_paused = False  #: what was said again ends with a microphone that paused

    async def say_again(self, items: Sequence[Speech | ModelCommand]) -> None:
        """All at once. The silence at the end is left to `run`, for it is still going on."""
        self._is_paused = bool(items) and isinstance(items[-1], FlushAudio)
        for item in items[:-1] if self._is_paused else items:
            if isinstance(item, FlushAudio):
                for _ in range(self._pieces):
                    await self._leg.send_audio(SILENCE)
            await self._pass_on(item)

    async def run(self, handed: Callable[[Speech | Quiet | ModelCommand], None]) -> None:
        """Until cancelled. `handed` is told what the leg has taken."""
        async with asyncio.TaskGroup() as tasks:
            feeding = tasks.create_task(self._end_speech(handed)) if self._is_paused else None
            while True:
                item = await self._uplink.get()
                if not isinstance(item, ShowImage | AnswerTool | StopAnswer):  # stale, or of what is gone
                    self._replay.add(item, asyncio.get_running_loop().time())  # first: a cut loses nothing
                if isinstance(item, Speech | FlushAudio) and feeding is not None:
                    feeding.cancel()  # the microphone is open again
                    feeding = None
                if isinstance(item, FlushAudio):
                    feeding = tasks.create_task(self._end_speech(handed), name="silence")
                    continue
                await self._pass_on(item)
                handed(item)

    async def _end_speech(self, handed: Callable[[Speech | Quiet | ModelCommand], None]) -> None:
        """Silence in real time, and the end of the stream for models that heed it."""
        for _ in range(self._pieces):
            await self._leg.send_audio(SILENCE)
            handed(Quiet())
            await asyncio.sleep(PIECE_S)
        await self._leg.send(FlushAudio())
        handed(FlushAudio())

    async def _pass_on(self, item: Speech | ModelCommand) -> None:
        await (self._leg.send_audio(item.pcm) if isinstance(item, Speech) else self._leg.send(item))
        await self._share.spend()
