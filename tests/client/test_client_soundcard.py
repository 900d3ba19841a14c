"""A sound card between two clocks: virtual time on this side, a device that a test drives on the other."""

from __future__ import annotations

import asyncio
import sys
from array import array
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from protocol.media import Playback
from vivavoce.soundcard import CUSHION_BYTES, WAITING_FRAMES, NoSound, PortAudio, SoundCard

FRAME = b"\x01\x02" * 320  #: 20 ms of 16 kHz
LOUD = b"\x00\x40" * 480  #: 20 ms of 24 kHz
BLOCK = len(LOUD)


class FakeDevice:
    """A sound card whose thread is the test."""

    def __init__(self, failure: NoSound | None = None) -> None:
        self.failure = failure
        self.is_open = False
        self.heard: Callable[[bytes], None] = lambda pcm: None
        self.wanted: Callable[[int], bytes] = bytes

    def open(self, heard: Callable[[bytes], None], wanted: Callable[[int], bytes]) -> None:
        if self.failure:
            raise self.failure
        self.is_open, self.heard, self.wanted = True, heard, wanted

    def close(self) -> None:
        self.is_open = False

    async def play(self, seconds: float) -> bytes:
        """Take a block every 20 ms for so long."""
        out = b""
        for _ in range(round(seconds / 0.02)):
            await asyncio.sleep(0.02)
            out += self.wanted(BLOCK)
        return out


def sounding(pcm: bytes) -> int:
    """How many samples are not silence."""
    return sum(value != 0 for value in array("h", pcm))


@pytest.mark.looptime
async def test_the_microphone_is_sent_in_its_frames() -> None:
    device, sent = FakeDevice(), []

    async def send(pcm: bytes) -> None:
        sent.append(pcm)

    with SoundCard(device) as card:
        sender = asyncio.create_task(card.run(send))
        await asyncio.to_thread(device.heard, bytes(640))
        await asyncio.sleep(0.01)
        assert card.is_mute
        await asyncio.to_thread(device.heard, FRAME)
        await asyncio.sleep(0.01)
        assert not card.is_mute
        sender.cancel()
    assert sent == [bytes(640), FRAME] and not device.is_open


@pytest.mark.looptime
async def test_of_a_microphone_that_is_not_sent_the_last_second_is_kept() -> None:
    device, sent = FakeDevice(), []

    async def send(pcm: bytes) -> None:
        sent.append(pcm[0])

    with SoundCard(device) as card:
        for number in range(WAITING_FRAMES + 7):
            device.heard(bytes([number]) * 640)
        sender = asyncio.create_task(card.run(send))
        await asyncio.sleep(0.01)
        sender.cancel()
    assert sent == [*range(7, WAITING_FRAMES + 7)]


@pytest.mark.looptime
async def test_what_is_played_comes_out_whole_and_is_reported() -> None:
    device, also, reports = FakeDevice(), bytearray(), list[Playback]()
    with SoundCard(device, also.extend) as card:
        running = asyncio.create_task(card.speaker.run(reports.append))
        for _ in range(50):
            card.speaker.play(1, LOUD)
        card.speaker.finish(1)
        out = await device.play(1.5)
        running.cancel()
    assert sounding(out) == 50 * BLOCK // 2 and bytes(also) == LOUD * 50
    begins = next(at for at, value in enumerate(array("h", out)) if value)
    assert begins * 2 == pytest.approx(CUSHION_BYTES + BLOCK, abs=BLOCK), "the cushion, once"
    assert out.strip(b"\0").count(bytes(BLOCK)) == 0, "no gap within"
    assert (reports[-1].state, reports[-1].played_ms) == ("drained", 1000)


@pytest.mark.looptime
async def test_an_interruption_is_silent_at_once() -> None:
    device = FakeDevice()
    with SoundCard(device) as card:
        running = asyncio.create_task(card.speaker.run(lambda report: None))
        for _ in range(100):
            card.speaker.play(1, LOUD)
        assert sounding(await device.play(0.5)) > 0
        heard_ms = card.speaker.flush(1)
        assert 480 <= heard_ms <= 520 and sounding(await device.play(0.5)) == 0
        card.speaker.play(2, LOUD)
        assert sounding(await device.play(0.2)) == BLOCK // 2, "the next turn is heard"
        assert card.speaker.flush(1) == 0, "an interruption that comes late"
        running.cancel()


async def test_without_a_device_it_says_so_and_why() -> None:
    device = FakeDevice(NoSound("there is no microphone to be had.", "Plug one in."))
    with pytest.raises(NoSound, match="no microphone") as refused, SoundCard(device):
        pass
    assert refused.value.advice == "Plug one in."


def test_a_machine_without_the_package_or_its_library_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(NoSound) as refused:
        PortAudio()
    assert refused.value.advice == "Install it: pip install sounddevice."

    def load(_: str) -> ModuleType:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr("importlib.import_module", load)
    with pytest.raises(NoSound) as refused:
        PortAudio()
    assert "libportaudio2" in refused.value.advice


class Library:
    """sounddevice, as far as it is used; `has` says which streams there are."""

    class PortAudioError(Exception):
        pass

    def __init__(self, *has: str) -> None:
        self.has = has
        self.opened: list[dict[str, Any]] = []
        self.closed = 0

    def stream(self, kind: str, **asked: Any) -> Any:
        if kind not in self.has:
            raise self.PortAudioError("Error querying device -1")
        self.opened.append(asked)
        return SimpleNamespace(start=lambda: None, close=self.close)

    def close(self) -> None:
        self.closed += 1

    def RawInputStream(self, **asked: Any) -> Any:
        return self.stream("microphone", **asked)

    def RawOutputStream(self, **asked: Any) -> Any:
        return self.stream("loudspeaker", **asked)


def test_the_streams_are_those_of_the_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    library, heard = Library("microphone", "loudspeaker"), list[bytes]()
    monkeypatch.setitem(sys.modules, "sounddevice", library)  # type: ignore[arg-type]
    device = PortAudio()
    device.open(heard.append, lambda size: b"x" * size)
    microphone, loudspeaker = library.opened
    assert (microphone["samplerate"], microphone["blocksize"]) == (16_000, 320)
    assert (loudspeaker["samplerate"], loudspeaker["blocksize"]) == (24_000, 480)
    microphone["callback"](memoryview(FRAME), 320, None, None)
    block = bytearray(BLOCK)
    loudspeaker["callback"](block, 480, None, None)
    device.close()
    assert heard == [FRAME] and block == b"x" * BLOCK and library.closed == 2


@pytest.mark.parametrize("has", [(), ("microphone",)])
def test_what_is_not_plugged_in_is_named_and_nothing_stays_open(
    monkeypatch: pytest.MonkeyPatch, has: tuple[str, ...]
) -> None:
    library = Library(*has)
    monkeypatch.setitem(sys.modules, "sounddevice", library)  # type: ignore[arg-type]
    missing = "loudspeaker" if has else "microphone"
    with pytest.raises(NoSound, match=rf"there is no {missing} to be had \(Error querying device -1\)"):
        PortAudio().open(lambda pcm: None, bytes)
    assert library.closed == len(has)
