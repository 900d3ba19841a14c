"""The bill of a turn: told to the client as the scenario has it, and charged."""

from typing import Any

from simulator import billing
from simulator.conversation.conversation import Conversation
from simulator.conversation.turn import Turn, usage
from simulator.session import charges


def tell(turn: Turn, content: dict[str, Any], at: Conversation) -> None:
    """Send the turn's end, `content`, with its usage, and charge it."""
    behaviour = at.world.behaviour
    report = usage(turn, at.memory, at.setup, behaviour.unattributed_tokens)
    *ahead, last = billing.told(report, behaviour.usage, behaviour.usage_details, at.memory.told) or [{}]
    for part in ahead:
        at.outlet.emit({"usageMetadata": part})
    at.outlet.emit({"serverContent": content, **({"usageMetadata": last} if last else {})})
    at.memory.bill(report)
    at.note("usage.counted", turn=turn.number, usage=report, totals=dict(at.memory.billed))
    _charge(report, turn.number, at, is_told=bool(last))


def hang_up(turn: Turn | None, at: Conversation) -> None:
    """The client is gone: what was said of an answer, and heard since, is charged without a word."""
    if turn is not None and turn.is_known and not turn.over.is_set():
        report = usage(turn, at.memory, at.setup, at.world.behaviour.unattributed_tokens)
        _charge(report, turn.number, at, is_told=False)
    elif tokens := at.memory.unbilled():
        heard = [{"modality": "AUDIO", "tokenCount": tokens}]
        _charge({"promptTokenCount": tokens, "promptTokensDetails": heard}, 0, at, is_told=False)


def _charge(report: dict[str, Any], turn: int, at: Conversation, *, is_told: bool) -> None:
    """`is_told`: the client could know of it."""
    charged = charges.micro_dollars(report, at.setup.model.profile)
    at.note("charged", turn=turn, micro_dollars=charged, told=is_told)
