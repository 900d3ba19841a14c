"""`vivavoce doctor --google`: meets the model alone, and says what it did against its profile."""

from __future__ import annotations

import asyncio
import datetime
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.doctor.google.clock import Clock
from cli.doctor.google.door import Door
from cli.doctor.google.entry import check_entry
from cli.doctor.google.player import Stage, play_all
from cli.doctor.google.report import Findings
from cli.doctor.google.trace import write
from cli.failure import FAILED, USAGE, Failure
from cli.stack.gemini_key import check_key
from cli.stack.gemini_server import GeminiServer
from gemini import profiles
from gemini.contact import bill
from gemini.contact.claims import judge
from gemini.contact.kit import Kit
from gemini.contact.recording import Recording
from gemini.contact.scenes import FREE, SCENES
from gemini.tokens import GOOGLE_URL
from infra.cost.model import read_prices
from vivavoce.wavefile import read_wav

SAMPLES = Path(__file__).resolve().parents[3] / "simulator" / "samples"
SPOKEN = ("question", "interruption")
BUDGET_DOLLARS = 0.045  #: no scene begins above that; the dear ones come first


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to meet. `speed` above 1 is for a simulator whose time runs as fast."""

    server: GeminiServer
    model: str
    speed: float = 1.0

    async def meet(self, tell: Callable[[str], None]) -> tuple[Recording, Findings]:
        """Play every scene. Raises Failure when no token is made, or the model is not there to be met."""
        if self.server.key is None:
            advice = "Set GEMINI_API_KEY, or give --stack NAME."
            raise Failure("--google needs a key of the Gemini API.", advice, USAGE)
        await check_key(self.server, tell, unset="", leave_out="Leave --gemini-url out to meet Google's own.")
        clock, recording = Clock(self.speed), Recording()
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        kit = Kit(self.model, profiles.of(self.model), today)
        door = Door(self.server.url or GOOGLE_URL, self.server.key, self.model)
        stage = Stage(door, clock, {name: read_wav(SAMPLES / f"{name}.wav") for name in SPOKEN}, recording)
        await check_entry(stage, kit, self.server)
        budget = Budget(recording, read_prices()["gemini"])
        scripts = {name: scene(kit) for name, scene in SCENES.items()}
        await play_all(stage, scripts, tell, budget.allows)
        findings = Findings(
            self.server.name,
            self.model,
            kit.profile,
            today,
            judge(recording, kit.profile),
            round(clock.now(), 1),
            sum(bill.tokens(recording).values()),
            budget.dollars,
            recording.unreached,
            budget.refused,
        )
        return recording, findings


def run(contact: Contact, *, as_json: bool, trace: Path | None) -> int:
    """0: everything that was seen is as believed; 1: something differs, or could not be reached.

    Raises Failure.
    """
    if trace is not None and not trace.resolve().parent.is_dir():
        raise Failure(f"{trace}: its folder does not exist.", code=USAGE)
    recording, findings = asyncio.run(contact.meet(_silence if as_json else _Progress(len(SCENES))))
    if trace is not None:
        write(trace, recording)
    if as_json:
        print(json.dumps(findings.summary()))
    else:
        findings.print(sys.stdout)
    return FAILED if findings.differing or findings.unreached else 0


class Budget:
    """Allows scenes until they have cost enough: a model may think, and be paid for it, without bounds."""

    def __init__(self, recording: Recording, prices: Mapping[str, float]) -> None:
        self._recording, self._prices = recording, prices
        self.refused: list[str] = []  #: scenes

    @property
    def dollars(self) -> float:
        """What has been billed so far."""
        return bill.dollars(bill.tokens(self._recording), self._prices)

    def allows(self, scene: str) -> bool:
        """Whether `scene` may begin. One that costs nothing always may."""
        if scene in FREE or self.dollars < BUDGET_DOLLARS:
            return True
        self.refused.append(scene)
        return False


class _Progress:
    """Counts the scenes that are over, on one line of a terminal."""

    def __init__(self, scenes: int) -> None:
        self._over, self._scenes = 0, scenes

    def __call__(self, name: str) -> None:
        if name not in SCENES:
            print(name, file=sys.stderr)  # a warning
            return
        self._over += 1
        if sys.stderr.isatty():
            end = "\r" if self._over < self._scenes else "\n"
            print(f"{self._over} of {self._scenes} scenes", end=end, file=sys.stderr, flush=True)


def _silence(_: str) -> None:
    pass
