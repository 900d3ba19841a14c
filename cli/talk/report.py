"""What came of a conversation, for a program and for a person."""

from __future__ import annotations

from typing import Any

from cli.talk.dialogue import Outcome


def summarise(outcome: Outcome) -> dict[str, Any]:
    """All that came of the conversation, as `--json` prints it. Times in ms; None: there was none."""
    tally, heard = outcome.tally, outcome.heard
    is_saved = heard.path is not None and heard.ms > 0 and heard.failure is None
    return {
        "session": outcome.session,
        "transcripts": tally.transcripts(),
        "turns": len(tally.turns),
        "interruptions": tally.interruptions,
        "first_audio_ms": outcome.first_audio_ms,
        "server_first_audio_ms": tally.server_first_audio_ms,
        "audio_ms": heard.ms,
        "out": str(heard.path) if is_saved else None,
        "events": dict(sorted(tally.events.items())),
        "reconnects": outcome.reconnects,
        "close_reason": tally.close_reason or (outcome.failure.code if outcome.failure else ""),
        "error": outcome.failure.code if outcome.failure else None,
    }


def lines(outcome: Outcome, summary: dict[str, Any]) -> list[str]:
    """The same as a table. `summary` may have the local stack's `record`."""
    return [
        f"session        {summary['session']}",
        f"turns          {summary['turns']}, interrupted {summary['interruptions']}",
        *_latency(summary["first_audio_ms"], summary["server_first_audio_ms"], is_spoken=outcome.is_spoken),
        f"heard          {summary['audio_ms'] / 1000:.1f} s, {_saved(outcome, summary['out'])}",
        f"reconnects     {summary['reconnects']}",
        *_record(summary.get("record")),
    ]


def _latency(total: int | None, server: int | None, *, is_spoken: bool) -> list[str]:
    """How long the first answer took, and what of it the silence that ends a turn took."""
    if total is None and is_spoken and server is not None:
        return [f"first audio    {server} ms after your turn was over, as the server measured it"]
    if total is None:
        return ["first audio    none"]
    if not is_spoken:
        return [f"first audio    {total} ms after the text was sent"]
    if total < 0:
        return [f"first audio    while you spoke, {-total} ms before your last word"]
    told = [f"first audio    {total} ms after your last word"]
    if server is None or not 0 <= server <= total:
        return told
    pause_ms = total - server
    return [
        *told,
        f"  of which     {pause_ms} ms until your turn was over: a pause ends it (silence_ms of the agent)",
        f"               {server} ms from there to the first sound, as the server measured it",
    ]


def _saved(outcome: Outcome, saved: str | None) -> str:
    if saved:
        return f"saved to {saved}"
    return "nothing to save" if outcome.heard.path else "not saved (--out FILE does)"


def _record(record: dict[str, Any] | None) -> list[str]:
    """What a local stack has kept of it: the turns, and which requests of its functions began it."""
    if record is None:
        return []
    requests = ", ".join(f"{made['route_key']} {made['request_id']}" for made in record["admitted_by"])
    return [f"recorded       {_turn(turn)}" for turn in record["turns"]] + [
        f"requests       {requests} (as the functions log them)"
    ]


def _turn(turn: dict[str, Any]) -> str:
    said, answered = turn.get("user_text", ""), turn.get("agent_text", "")
    heard = turn.get("heard")
    cut = "" if heard is None else f", of which was heard: {heard!r}"
    return f"turn {turn['number']}: you {said!r}, agent {answered!r}{cut}"
