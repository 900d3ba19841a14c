"""The public class: one voice conversation, over as many connections as it takes."""

from __future__ import annotations

import asyncio
import platform
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Literal, Self

from ._protocol.audio import UPLINK_MAX_BYTES, UPLINK_MIN_BYTES, AudioFrame
from ._protocol.client import ClientSession, Counters
from ._protocol.control import ClientInfo, Config, Start, Starting
from ._protocol.limits import SAMPLE_BYTES, VERSIONS
from ._protocol.media import (
    ClientMessage,
    EndCall,
    Interrupt,
    Live,
    ServerMessage,
    Text,
)
from .control import Control, Token
from .errors import VoiceError
from .events import ConversationEvent, EventQueue
from .lifeline import Lifeline, Reconnecting
from .outbox import Outbox
from .pacing import Pacing
from .reactions import Reactions, Silence, Speaker
from .tools import Run, Tool, Toolbox

END_PATIENCE_S = 2.0  #: for the server's word that the session has ended


@cache
def _client_info() -> ClientInfo:
    try:
        release = version("vivavoce")
    except PackageNotFoundError:  # run from a bare checkout
        release = ""
    return ClientInfo("vivavoce-python", release, platform.system().lower())


@dataclass(frozen=True, slots=True)
class Options:
    """Settings that most conversations leave at their defaults."""

    config: Config = field(default_factory=Config)
    metadata: dict[str, str] = field(default_factory=dict)  #: kept with the session's record
    client: ClientInfo = field(default_factory=_client_info)
    on_starting: Callable[[Starting], None] = lambda stage: None  #: told of stages while `async with` enters


class Conversation:
    """One voice conversation.

        async with Conversation("wss://…/v1", token) as call:
            async for event in call.events(): ...

    Entering opens the session and returns when it is live; leaving ends it. In between, breaks are mended in
    the background, for as long as the server waits (`limits.resume_ms`). Raises VoiceError on entering, and
    from `events` when the conversation cannot go on.
    """

    def __init__(
        self,
        url: str,
        token: Token,
        *,
        agent: str = "assistant",
        tools: Mapping[str, Tool | Run] | None = None,
        speaker: Speaker | None = None,
        options: Options | None = None,
    ) -> None:
        self._options = options or Options()
        self._speaker: Speaker = speaker or Silence()
        self._media = ClientSession()
        self._outbox = Outbox(self._media)
        self._pacing = Pacing()
        self._events = EventQueue()
        self._tools = Toolbox(tools or {}, self._outbox.message)
        self._reactions = Reactions(self._media, self._outbox, self._events, self._tools, self._speaker)
        self._control = Control(url, token, self._heed_stage)
        self._lifeline = Lifeline(self._control, self._media, self._outbox, self._receive)
        self._agent = agent
        self._has_begun = asyncio.Event()  #: live, or failed
        self._runner: asyncio.Task[VoiceError | None] | None = None

    @property
    def session(self) -> str:
        """The session's id; empty until the server has admitted us."""
        return self._control.session

    @property
    def reconnects(self) -> int:
        """Number of times that the conversation went live again."""
        return max(0, self._lifeline.lives - 1)

    @property
    def counters(self) -> Counters:
        """Counts of what was dropped or sent again, by reason."""
        return self._media.counters

    async def __aenter__(self) -> Self:
        self._runner = asyncio.create_task(self._run(), name="conversation")
        try:
            await self._has_begun.wait()
        except asyncio.CancelledError:
            await self._leave()
            raise
        if self._runner.done() and (failure := await self._runner):
            raise failure
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave()

    def events(self) -> AsyncIterator[ConversationEvent]:
        """Everything that happens, in order, until the session has ended. For one reader.

        Stages (`Starting`), server messages, the agent's `AudioFrame`s (`vivavoce.messages`), `Reconnecting`,
        `Quality`.
        Read them: when too many wait, the server waits too. Raises VoiceError when the conversation fails.
        """
        return self._events.read()

    async def send_audio(self, pcm: bytes) -> None:
        """Send one frame of the microphone: 10 to 100 ms of 16 kHz mono s16le, best 20 ms.

        A microphone never waits here; a recording that comes faster than it plays does, after two seconds.
        What is sent during a break is kept for two seconds. Raises ValueError for another length.
        """
        if not UPLINK_MIN_BYTES <= len(pcm) <= UPLINK_MAX_BYTES or len(pcm) % SAMPLE_BYTES:
            raise ValueError(f"{len(pcm)} bytes are not 10 to 100 ms of 16 kHz mono s16le")
        await self._pacing.audio(pcm)
        self._outbox.audio(self._media.audio(pcm))

    async def send_text(self, text: str, *, respond: bool = True) -> None:
        """Say something in writing; `respond=False` lets the agent wait for more."""
        await self.send(Text(text, respond))

    async def send(self, message: ClientMessage) -> None:
        """Any other message of `vivavoce.messages`: `Context`, `Image`, `Activity`, `Ping`.

        Text and images over their rate (schema/limits.json) wait here until the server takes them. Kept
        during a break, and text, context, images and activity until the server has answered them: they are
        said again to whichever relay goes on. Raises VoiceError("closed") when the conversation is over.
        """
        self._require_open()
        await self._pacing.message(message)
        self._require_open()
        await self._outbox.message(message)

    def _require_open(self) -> None:
        if self._runner is None or self._runner.done():
            raise VoiceError.of("closed")

    async def mic(self, state: Literal["open", "paused", "closed"]) -> None:
        """Say what the microphone does, so that the server need not guess from silence."""
        self._reactions.microphone(state)

    async def interrupt(self) -> None:
        """Stop the agent: silence here at once, then the server drops the rest of the turn."""
        turn = self._media.last_turn
        await self.send(Interrupt(turn, self._reactions.silence(turn)))

    async def end(self, reason: str = "") -> None:
        """Ask the server to end the session; `events` ends after its reply. Sent again after a break."""
        message = EndCall(reason)
        await self.send(message)
        self._reactions.keep_end(message)

    async def _run(self) -> VoiceError | None:
        """The whole conversation. Returns why it failed, None when it ended as it should."""
        failure: VoiceError | None = VoiceError.of("closed")
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tools.open(tasks)
                speaker = tasks.create_task(self._speaker.run(self._reactions.report), name="speaker")
                failure = await self._converse()
                speaker.cancel()
                self._tools.close()
        finally:
            self._events.close(failure)
            self._has_begun.set()
        return failure

    async def _converse(self) -> VoiceError | None:
        request = Start(
            secrets.token_urlsafe(16),
            list(VERSIONS),
            self._agent,
            self._options.config,
            self._tools.declarations(),
            self._options.metadata,
            self._options.client,
        )
        try:
            await self._lifeline.run(request)
        except VoiceError as failure:
            return failure
        return None

    def _heed_stage(self, stage: Starting) -> None:
        self._options.on_starting(stage)
        self._events.post(stage)

    async def _receive(self, item: ServerMessage | AudioFrame | Reconnecting) -> bool:
        if isinstance(item, Live):
            self._has_begun.set()
        return await self._reactions.receive(item)

    async def _leave(self) -> None:
        """End the session on whichever road is open, and every task."""
        runner = self._runner
        assert runner is not None
        self._events.close(None)
        if not runner.done() and self._outbox.is_open:
            with suppress(TimeoutError):
                async with asyncio.timeout(END_PATIENCE_S):
                    await self.end()
                    await asyncio.wait({runner})
        is_over = runner.done()
        runner.cancel()
        await asyncio.wait({runner})
        if not is_over:
            await self._cancel_session()
        if not runner.cancelled():
            runner.result()

    async def _cancel_session(self) -> None:
        """End the session on the control road, when the media road could not do it."""
        with suppress(TimeoutError, VoiceError):  # the server notices by itself, after `limits.resume_ms`
            async with asyncio.timeout(END_PATIENCE_S):
                await self._control.end()
