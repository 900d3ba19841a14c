"""The scripted user's microphone, and how the other side learns that the words are over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from cli.talk.ending import Ending
from protocol.media import Activity
from vivavoce import Conversation
from vivavoce.microphone import Microphone


class Voice:
    """Speaks recordings into one conversation."""

    def __init__(self, call: Conversation, tasks: asyncio.TaskGroup, ending: Ending) -> None:
        self._call, self._tasks, self._ending = call, tasks, ending
        self._microphone = Microphone(call.send_audio)
        self._sending: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Before the first word."""
        if self._ending == "release":
            await self._call.mic("paused")
        else:
            self._send()

    async def say(self, pieces: Iterable[bytes]) -> float:
        """Speak a recording. Returns the loop time of the end of speech."""
        await self._open()
        ended_at = await self._microphone.say(pieces)
        await self._end_words()
        return ended_at

    def end(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    async def _open(self) -> None:
        if self._ending == "mark":
            await self._call.send(Activity("start"))
        elif self._sending is None:
            await self._call.mic("open")
            self._send()

    async def _end_words(self) -> None:
        if self._ending == "mark":
            await self._call.send(Activity("end"))
        elif self._ending != "silence":
            self.end()
            await self._call.mic("paused")

    def _send(self) -> None:
        self._sending = self._tasks.create_task(self._microphone.run(), name="microphone")
