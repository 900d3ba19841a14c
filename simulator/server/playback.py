"""Plays back recorded connections: each client that comes gets the next take of a trace."""

import asyncio
import itertools
from collections.abc import Iterator

from aiohttp import web

from simulator.audio import pcm as audio
from simulator.conversation.world import World
from simulator.replay import Cues, Spoken, Take
from simulator.server.line import Line
from simulator.wire import messages
from simulator.wire.refusal import Close, Refusal


class Playback:
    """All takes of a trace, over and over."""

    def __init__(self, takes: tuple[Take, ...], world: World) -> None:
        self.count = len(takes)
        self._takes: Iterator[Take] = itertools.cycle(takes)
        self._world = world

    async def serve(self, request: web.Request, number: int) -> web.StreamResponse:
        """Serve one client with the next take."""
        take = next(self._takes)
        self._world.ledger.note("take.begun", connection=number, take=take.name)
        if take.status is not None:
            return web.json_response({"error": {"code": take.status}}, status=take.status)
        line = Line(request, self._world.clock)
        response = await line.open()
        player = _Player(take, line, self._world)
        async with asyncio.TaskGroup() as tasks:
            ends = {tasks.create_task(player.listen()), tasks.create_task(player.write())}
            speaker = tasks.create_task(player.speak())
            _, left = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in (*left, speaker):
                task.cancel()
        self._world.ledger.note("connection.closed", connection=number, code=line.code)
        return response


class _Player:
    """One take on one line."""

    def __init__(self, take: Take, line: Line, world: World) -> None:
        self._take, self._line, self._clock = take, line, world.clock
        self._cues = Cues()
        self._cued_at: dict[int, float] = {0: world.clock.now()}
        self._news = asyncio.Event()

    async def listen(self) -> None:
        """Count the client's cues until it leaves."""
        async for frame in self._line.frames():
            try:
                message = messages.decode(frame)
            except Refusal:
                continue  # what it says is not judged, only when
            if self._is_cue(message):
                self._cued_at[self._cues.count] = self._clock.now()
                self._news.set()

    async def speak(self) -> None:
        """Say everything, each after its cue."""
        for spoken in self._take.spoken:
            while spoken.cue not in self._cued_at:
                self._news.clear()
                await self._news.wait()
            await self._clock.sleep_until(self._cued_at[spoken.cue] + spoken.after_s)
            self._say(spoken)

    async def write(self) -> None:
        close = await self._line.write()
        if close:
            await self._line.hang_up(close)

    def _say(self, spoken: Spoken) -> None:
        if spoken.message is not None:
            self._line.emit(spoken.message)
        elif spoken.code == 1006:
            self._line.abort()
        else:
            self._line.close(Close(spoken.code, spoken.reason))

    def _is_cue(self, message: messages.ClientMessage) -> bool:
        if isinstance(message, messages.AudioSent):
            return self._cues.audio(audio.rms(message.pcm), audio.seconds(message.pcm, audio.IN_HZ))
        return self._cues.message()
