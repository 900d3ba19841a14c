"""Talk to an agent from this terminal: a WAV or a text in, the answer out.

Without --wav and --text it speaks a sample that comes with the package.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cli.failure import FAILED, USAGE, Failure, failed
from cli.talk.ending import ENDINGS

if TYPE_CHECKING:
    from cli.talk.dialogue import Outcome, Recording, Script
    from cli.talk.heard import Heard
    from protocol.media import Image
    from vivavoce.soundcard import NoSound, SoundCard

PATIENCE_S = 120.0  #: for the whole conversation, unless --seconds says otherwise
SAMPLE = "question.wav"
MIMES: dict[str, Literal["image/jpeg", "image/png", "image/webp"]] = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    where = parser.add_argument_group("where")
    where.add_argument(
        "--url", help='control URL (wss://…), or the page of "vivavoce dev" (default: http://127.0.0.1:8787)'
    )
    where.add_argument(
        "--token", help="admission JWT (default: $VIVAVOCE_TOKEN; a local stack gives its own)"
    )
    where.add_argument(
        "--agent", default="assistant", metavar="NAME", help="who to talk to (default: assistant)"
    )
    _add_words(parser.add_argument_group("what to say"))
    hear = parser.add_argument_group("what to keep")
    hear.add_argument(
        "--out", type=Path, metavar="FILE", help="save what was heard of the answer (24 kHz WAV)"
    )
    hear.add_argument("--json", action="store_true", help="print one JSON object with all that came of it")
    hear.add_argument(
        "--seconds",
        type=float,
        help=f"give up after this long (default: {PATIENCE_S:.0f}; with --mic, never)",
    )


def _add_words(say: argparse._ArgumentGroup) -> None:
    say.add_argument(
        "--mic", action="store_true", help="talk by this machine's microphone and loudspeaker, until Ctrl-C"
    )
    say.add_argument("--wav", type=Path, metavar="FILE", help="speak this file: any PCM WAV")
    say.add_argument(
        "--text", action="append", default=[], help="write this (after the WAV; may be repeated)"
    )
    say.add_argument(
        "--interrupt-at", type=float, metavar="SECONDS", help="speak again so long after the answer begins"
    )
    say.add_argument("--interrupt-wav", type=Path, metavar="FILE", help="what to say then")
    say.add_argument(
        "--end-by",
        choices=ENDINGS,
        default="silence",
        help="how the agent learns that the words are over: "
        + "; ".join(f"{name}: {what}" for name, what in ENDINGS.items()),
    )
    say.add_argument("--image", type=Path, metavar="FILE", help="show this first: JPEG, PNG or WebP")
    say.add_argument(
        "--tool",
        action="append",
        default=[],
        metavar="NAME=JSON",
        help="offer a tool that always gives this (may be repeated)",
    )


def run(args: argparse.Namespace) -> int:
    """Hold the conversation and report on it. Raises Failure when it did not come to its end."""
    _check(args)
    import asyncio

    from cli.stack.access import find_access
    from cli.talk.dialogue import Dialogue
    from cli.talk.heard import Heard
    from cli.talk.narrator import Narrator
    from vivavoce.soundcard import NoSound

    script = _script(args)
    access = find_access(args.url, args.token)
    heard = Heard(args.out)
    dialogue = Dialogue(script, Narrator(), heard, _sound_card(heard) if args.mic else None)
    try:
        asyncio.run(dialogue.hold(access))
    except NoSound as error:
        raise _no_sound(error) from None
    finally:
        heard.close()
        _report(dialogue.outcome, args, access.page)
    _judge(dialogue.outcome, script)
    return 0


def _sound_card(heard: Heard) -> SoundCard:
    """This machine's. Raises Failure when there is no way to one."""
    from vivavoce.soundcard import NoSound, SoundCard

    try:
        return SoundCard(sink=heard.take)
    except NoSound as error:
        raise _no_sound(error) from None


def _no_sound(error: NoSound) -> Failure:
    return Failure(f"there is no talking by microphone: {error}", f"{error.advice} (--wav speaks a file.)")


def _check(args: argparse.Namespace) -> None:
    """Reject arguments that are wrong before anything starts. Raises Failure."""
    if (args.interrupt_at is None) != (args.interrupt_wav is None):
        raise Failure("--interrupt-at and --interrupt-wav need each other.", code=USAGE)
    if args.interrupt_at is not None and args.text and not args.wav:
        raise Failure("--interrupt-at needs a spoken beginning: --wav.", code=USAGE)
    for name in ("seconds", "interrupt_at"):
        value = getattr(args, name)
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise Failure(f"--{name.replace('_', '-')} is not a length of time.", code=USAGE)
    if args.mic and (args.wav or args.text):
        raise Failure("--mic is in place of --wav and --text.", code=USAGE)
    if not all(text.strip() for text in args.text):
        raise Failure("--text is empty.", "Give it something to say.", USAGE)
    if args.out:
        _check_out(args.out)


def _check_out(path: Path) -> None:
    """Raises Failure when the answer could not be saved there: after the conversation is too late."""
    from cli.talk.heard import cannot_write

    if path.is_dir():
        raise Failure(f"{path} is a folder.", "Name a file.", USAGE)
    if not path.parent.is_dir():
        raise Failure(f"there is no folder {path.parent}.", "Make it first.", USAGE)
    if error := cannot_write(path):
        raise Failure(f"cannot write {path}: {error.strerror}.", "Name another file as --out.", USAGE)


def _script(args: argparse.Namespace) -> Script:
    from cli.talk.dialogue import Script

    wav = args.wav
    if wav is None and not args.text and not args.mic:
        wav = sample()
    return Script(
        args.agent,
        _recording(wav),
        tuple(args.text),
        args.interrupt_at,
        _recording(args.interrupt_wav),
        args.seconds if args.seconds is not None or args.mic else PATIENCE_S,
        is_live=args.mic,
        ending=args.end_by,
        image=_image(args.image),
        tools=dict(map(_tool, args.tool)),
    )


def _image(path: Path | None) -> Image | None:
    """Raises Failure for a file that no agent could see."""
    from protocol.limits import IMAGE_BYTES
    from protocol.media import Image

    if path is None:
        return None
    mime = MIMES.get(path.suffix.lower())
    if mime is None:
        raise Failure(f"{path} is no JPEG, PNG or WebP by its name.", "Convert it.", USAGE)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}.", "Check the path.", USAGE) from None
    if not 0 < len(data) <= IMAGE_BYTES:
        what = f"{path} has {len(data):,} bytes; an image may have 1 to {IMAGE_BYTES:,}."
        raise Failure(what, "Make it smaller.", USAGE)
    return Image(mime, data)


def _tool(given: str) -> tuple[str, Any]:
    """(name, what it gives). Raises Failure for what is none."""
    name, is_given, answer = given.partition("=")
    try:
        if not re.fullmatch(r"[A-Za-z_]\w{0,62}", name) or not is_given:
            raise ValueError
        return name, json.loads(answer)
    except ValueError:
        raise Failure(
            "--tool is not NAME=JSON.", """Give one like --tool 'clock={"time": "ten"}'.""", USAGE
        ) from None


def sample() -> Path:
    """The shipped recording that is spoken by default. Raises Failure when the package has none."""
    from importlib.resources import files

    folder = Path(str(files("simulator"))) / "samples"
    found = sorted(folder.glob("*.wav"), key=lambda path: (path.name != SAMPLE, path.name))
    if not found:
        raise Failure("there is nothing to say.", "Give --wav FILE or --text TEXT.", USAGE)
    return found[0]


def _recording(path: Path | None) -> Recording | None:
    from cli.talk.dialogue import Recording
    from vivavoce.wavefile import WavError, WavFile, is_silent

    if path is None:
        return None
    try:
        file = WavFile(path)
        if is_silent(file.pieces()):
            what = "it holds no sound" if file.seconds == 0 else f"all {file.seconds:.1f} s of it are silent"
            raise Failure(f"cannot speak {path}: {what}.", "Give a recording of speech.", USAGE)
        return Recording(path.name, file)
    except WavError as error:
        raise Failure(f"cannot speak {path}: {error}.", "Give a PCM WAV file.", USAGE) from None
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}.", "Check the path.", USAGE) from None


def _report(outcome: Outcome, args: argparse.Namespace, page: str) -> None:
    from cli.stack.access import read_record
    from cli.talk.report import lines, summarise

    summary = summarise(outcome)
    summary["record"] = read_record(page, outcome.session) if page and outcome.session else None
    if args.json:
        print(json.dumps(summary))
    elif outcome.session:  # else nothing came of it, and the one line about that follows
        print("\n".join(lines(outcome, summary)), file=sys.stderr)


def _judge(outcome: Outcome, script: Script) -> None:
    """Raises Failure when the script did not come to its end, or the answer could not be saved."""
    if failure := outcome.heard.failure:
        what = f"cannot write {outcome.heard.path}: {failure.strerror}."
        raise Failure(what, "What was heard before is there.")
    if outcome.failure is not None:
        raise failed(outcome.failure)
    if outcome.is_complete:
        return
    if outcome.is_gone:
        raise Failure("the local stack was stopped.", 'Start it again with "vivavoce dev".')
    if outcome.tally.close_reason:
        raise Failure(f"the server ended the session ({outcome.tally.close_reason}).", "Start again.", FAILED)
    if script.timeout_s is None:
        raise Failure("the conversation ended early.", "Start again.")
    if outcome.is_offline:
        what = f"there was no connection to the conversation when {script.timeout_s:g} s were over."
        raise Failure(what, "Is the server up? --seconds gives it more.")
    raise Failure(f"no complete answer came within {script.timeout_s:g} s.", "Give it more with --seconds.")
