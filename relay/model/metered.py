"""Model legs that tell a meter all that passes, their last words too."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from gemini import usage
from gemini.messages import (
    AnswerTool,
    Audio,
    Credential,
    ModelCommand,
    ModelEvent,
    Note,
    Recall,
    SayText,
    ShowImage,
    TokensUsed,
    TurnCompleted,
)
from relay.model.meter import Meter
from relay.model.port import Legs, ModelLeg, UpstreamError

LAST_WORDS_S = 0.1  #: for what was received before the close, and not read


class MeteredLegs:
    """`Legs` whose connections are metered."""

    def __init__(self, legs: Legs, meter: Meter) -> None:
        self._legs, self._meter = legs, meter

    async def mint(self, handle: str | None, refused: Sequence[str] = ()) -> Credential:
        return await self._legs.mint(handle, refused)

    async def open(self, credential: Credential, handle: str | None) -> ModelLeg:
        leg = await self._legs.open(credential, handle)
        return MeteredLeg(leg, self._meter, credential, remembers=handle is not None)


class MeteredLeg:
    """One connection. A report is passed on as what it adds to the ones before it."""

    def __init__(self, leg: ModelLeg, meter: Meter, credential: Credential, *, remembers: bool) -> None:
        self._leg, self._meter = leg, meter
        self._is_closed = False
        meter.leg_opened(credential.model, credential.setup_tokens, remembers=remembers)

    async def send_audio(self, pcm: bytes) -> None:
        await self._leg.send_audio(pcm)
        self._meter.sent_audio(len(pcm))

    async def send(self, command: ModelCommand) -> None:
        await self._leg.send(command)
        match command:
            case SayText(text=text) | Note(text=text):
                self._meter.sent_text(len(text))
            case Recall(said):
                self._meter.sent_text(sum(len(text) for _, text in said))
            case AnswerTool(result=result):
                self._meter.sent_text(len(str(result)))
            case ShowImage():
                self._meter.sent_image()

    async def events(self) -> AsyncIterator[ModelEvent]:
        async for event in self._leg.events():
            yield self._metered(event)

    def _metered(self, event: ModelEvent) -> ModelEvent:
        match event:
            case Audio(pcm):
                self._meter.heard_audio(len(pcm))
            case TurnCompleted():
                self._meter.turn_completed()
            case TokensUsed():
                return replace(event, tokens=self._meter.reported_by_model(event))
        return event

    async def ping(self) -> None:
        await self._leg.ping()

    async def close(self) -> None:
        """Closed when what the model had sent before it heard of that is counted: it is billed, too."""
        if self._is_closed:
            return
        self._is_closed = True
        async with asyncio.TaskGroup() as ways:
            listening = ways.create_task(self._hear_out())
            await self._leg.close()
            await asyncio.wait([listening], timeout=LAST_WORDS_S)
            listening.cancel()
        self._meter.leg_closed()

    async def _hear_out(self) -> None:
        with contextlib.suppress(UpstreamError):
            async for event in self._leg.events():
                said = self._metered(event)
                if isinstance(said, TokensUsed):
                    self._meter.unpassed = usage.plus(self._meter.unpassed, said.tokens)
