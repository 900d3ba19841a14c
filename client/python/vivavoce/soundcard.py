"""This machine's microphone and loudspeaker, by sounddevice (PortAudio): `pip install vivavoce[mic]`.

A sound card has a clock and a thread of its own. The thread only moves bytes; what is played, and what was
heard of it, is `playback.VirtualSpeaker`'s to know. There is no echo cancellation: wear headphones.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ._protocol.limits import DOWNLINK_HZ, FRAME_MS, SAMPLE_BYTES, UPLINK_FRAME_BYTES, UPLINK_HZ
from .playback import VirtualSpeaker

CUSHION_BYTES = DOWNLINK_HZ * SAMPLE_BYTES * 60 // 1000  #: 60 ms, which a late timer may cost unheard
WAITING_FRAMES = 50  #: of the microphone: a second; older ones are dropped
FEED_EVERY_S = FRAME_MS / 1000


class NoSound(Exception):
    """There is no way to sound here. The text says why, `advice` what to do."""

    def __init__(self, text: str, advice: str) -> None:
        super().__init__(text)
        self.advice = advice


class Device(Protocol):
    """A sound card's two streams, mono s16le."""

    def open(self, heard: Callable[[bytes], None], wanted: Callable[[int], bytes]) -> None:
        """Start. From a thread of the device `heard` gets 20 ms of 16 kHz, and `wanted` gives so many bytes
        of 24 kHz. Raises NoSound.
        """

    def close(self) -> None:
        """Stop; no call of either comes after this."""


class PortAudio:
    """The machine's default devices, by sounddevice."""

    def __init__(self) -> None:
        try:
            self._sd: Any = importlib.import_module("sounddevice")
        except ImportError:
            raise NoSound(
                "the package sounddevice is not here.", "Install it: pip install sounddevice."
            ) from None
        except OSError:  # it is, and the library that it loads is not
            advice = "Install it: apt install libportaudio2, or brew install portaudio."
            raise NoSound("the library PortAudio is not here.", advice) from None
        self._streams: list[Any] = []

    def open(self, heard: Callable[[bytes], None], wanted: Callable[[int], bytes]) -> None:
        def on_input(data: Any, *_: object) -> None:
            heard(bytes(data))

        def on_output(data: Any, *_: object) -> None:
            data[:] = wanted(len(data))

        mono = {"channels": 1, "dtype": "int16"}
        kinds = (
            ("microphone", self._sd.RawInputStream, UPLINK_HZ, on_input),
            ("loudspeaker", self._sd.RawOutputStream, DOWNLINK_HZ, on_output),
        )
        for kind, stream, rate_hz, callback in kinds:
            block = rate_hz * FRAME_MS // 1000
            try:
                opened = stream(samplerate=rate_hz, blocksize=block, callback=callback, **mono)
                self._streams.append(opened)
                opened.start()
            except self._sd.PortAudioError as error:
                self.close()
                advice = "Plug one in and make it the system's default, and let this terminal use it."
                raise NoSound(f"there is no {kind} to be had ({error.args[0]}).", advice) from None

    def close(self) -> None:
        while self._streams:
            self._streams.pop().close()


class SoundCard:
    """`with SoundCard() as card:` then `speaker` is a conversation's, and `run` sends the microphone.

    `sink` also gets what is played. Raises NoSound when it is made, and on the way in, which an event loop
    must see.
    """

    def __init__(self, device: Device | None = None, sink: Callable[[bytes], None] | None = None) -> None:
        self.is_mute = True  #: the microphone gave nothing but zeros so far
        self._device = PortAudio() if device is None else device
        self._loop: asyncio.AbstractEventLoop | None = None
        self._said: asyncio.Queue[bytes] = asyncio.Queue()
        self._cushion = _Cushion()
        self._sink = sink or (lambda pcm: None)
        self.speaker = _CardSpeaker(self._play, self._cushion)

    def __enter__(self) -> SoundCard:
        self._loop = asyncio.get_running_loop()
        self._device.open(self._heard, self._cushion.take)
        return self

    def __exit__(self, *_: object) -> None:
        self._device.close()

    async def run(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        """Send what the microphone hears, until cancelled."""
        while True:
            await send(await self._said.get())

    def _heard(self, pcm: bytes) -> None:
        """In the device's thread."""
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._keep, pcm)

    def _keep(self, pcm: bytes) -> None:
        self.is_mute = self.is_mute and not any(pcm)
        while self._said.qsize() >= WAITING_FRAMES:
            self._said.get_nowait()
        self._said.put_nowait(pcm[:UPLINK_FRAME_BYTES])

    def _play(self, pcm: bytes) -> None:
        self._cushion.put(pcm)
        self._sink(pcm)


class _CardSpeaker(VirtualSpeaker):
    """Plays by the loop's clock into a cushion that the sound card empties by its own."""

    def __init__(self, sink: Callable[[bytes], None], cushion: _Cushion) -> None:
        super().__init__(sink, every_s=FEED_EVERY_S)
        self._cushion = cushion

    def flush(self, turn: int) -> int:
        heard_ms = super().flush(turn)
        if self.turn <= turn:  # nothing of a later one has been put there yet
            self._cushion.clear()
        return heard_ms


class _Cushion:
    """Sound between two clocks. Whatever begins after a silence begins CUSHION_BYTES later."""

    def __init__(self) -> None:
        self._pcm = bytearray()
        self._lock = threading.Lock()

    def put(self, pcm: bytes) -> None:
        with self._lock:
            if not self._pcm:
                self._pcm += bytes(CUSHION_BYTES)
            self._pcm += pcm

    def take(self, size: int) -> bytes:
        """So many bytes, silence where there is nothing."""
        with self._lock:
            taken = bytes(self._pcm[:size])
            del self._pcm[:size]
        return taken.ljust(size, b"\0")

    def clear(self) -> None:
        with self._lock:
            self._pcm.clear()
