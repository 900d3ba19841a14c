"""The `vivavoce` command: reads the command line, runs one command, says in one line what went wrong."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from cli.commands import cost, dev, doctor, drain, simulate, soak, survive, talk, token, usage
from cli.failure import INTERRUPTED, USAGE, Failure

COMMANDS = {
    "dev": dev,
    "talk": talk,
    "doctor": doctor,
    "simulate": simulate,
    "soak": soak,
    "survive": survive,
    "token": token,
    "cost": cost,
    "usage": usage,
    "drain": drain,
}


class Parser(argparse.ArgumentParser):
    """argparse that complains in one line, and knows what was probably meant."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f'{self.prog}: {message}. "{self.prog} --help" lists what there is.\n')

    def refuse(self, unknown: str) -> NoReturn:
        """A flag or an argument that means nothing here."""
        known = [option for action in self._actions for option in action.option_strings]
        self.error(f"{unknown!r} means nothing here{_did_you_mean(unknown.partition('=')[0], known)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv`. Exit code: 0 fine, 1 failed, 2 called wrongly, 130 interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = run(arguments)
        sys.stdout.flush()
        return code
    except Failure as failure:
        print(f"vivavoce {arguments[0]}: {failure}", file=sys.stderr)
        return failure.code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough. The interpreter must not flush into the broken pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def run(arguments: list[str]) -> int:
    parser = _parser()
    if not arguments:
        parser.print_help(sys.stderr)
        return USAGE
    if arguments[0] == "simulate":  # has a command line of its own
        return simulate.run(arguments[1:])
    if not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
        parser.error(f"there is no command {arguments[0]!r}{_did_you_mean(arguments[0], list(COMMANDS))}")
    chosen, unknown = parser.parse_known_args(arguments)
    if unknown:
        getattr(chosen, "parser", parser).refuse(unknown[0])
    code: int = COMMANDS[chosen.command].run(chosen)
    return code


def _parser() -> Parser:
    purpose = (
        "Talk to a voice agent, run the whole system on this machine, check a deployment, make its tokens."
    )
    parser = Parser(prog="vivavoce", description=purpose, allow_abbrev=False)
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        summary = (command.__doc__ or "").strip().partition("\n")[0]
        sub = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        command.add_arguments(sub)
        sub.set_defaults(parser=sub)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when asked: reading package metadata takes longer than all else here."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(version("vivavoce-application"))
        parser.exit()


def _did_you_mean(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


if __name__ == "__main__":
    sys.exit(main())
