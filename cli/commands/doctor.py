"""Check a deployment, or the local stack, step by step, and say what to change where it fails.

From the name to a spoken turn, and over a change of the model's connection. It opens two short sessions as
one of your users, and talks for some seconds: with Google as the model that costs a cent or two. With
--google it meets the model alone, and says what it does against what is believed of it: for less than five
cents. With --before it looks for what would make a deployment fail, and changes nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cli.failure import FAILED, USAGE, Failure

if TYPE_CHECKING:
    from cli.doctor.conversation_check import Rotate
    from cli.doctor.steps import Checkup
    from cli.stack.access import Access
    from cli.stack.deployed import Deployment

PATIENCE_S = 180.0  #: for a relay to start; the functions give one up after that
TOKEN_MINUTES = 15
STACK = "vivavoce"  #: its name in samconfig.toml
MODEL = "gemini-3.8-live"  #: of agents that name none
AGENT = "assistant"
_GOOGLE = {"model": None, "gemini_url": None, "trace": None}  #: options of --google alone, if not given
_CALL = {"url": None, "token": None, "agent": AGENT, "seconds": PATIENCE_S}  #: options that it does not have


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--url", help='control URL (wss://…), or the page of "vivavoce dev" (default: http://127.0.0.1:8787)'
    )
    parser.add_argument(
        "--stack", metavar="NAME", help="a deployed stack: gives URL and token, and may order the rotation"
    )
    parser.add_argument("--region", help="of the stack (default: the shell's)")
    parser.add_argument(
        "--token", help="admission JWT (default: $VIVAVOCE_TOKEN, the stack's, a local stack's)"
    )
    parser.add_argument("--agent", default=AGENT, metavar="NAME", help=f"whom to talk to (default: {AGENT})")
    parser.add_argument(
        "--seconds", type=float, default=PATIENCE_S, help=f"for a relay to start (default: {PATIENCE_S:.0f})"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object with every step")
    before = parser.add_argument_group("before there is a deployment")
    before.add_argument(
        "--before",
        action="store_true",
        help=f"look for what would fail: this machine, deployment.yaml, the account ({STACK}, or --stack)",
    )
    google = parser.add_argument_group("the model alone, with the key in GEMINI_API_KEY or of --stack")
    google.add_argument("--google", action="store_true", help="see what the model does, field by field")
    google.add_argument("--model", metavar="NAME", help=f"the model to meet (default: {MODEL})")
    google.add_argument("--gemini-url", metavar="URL", help="a server that answers like Google's")
    google.add_argument(
        "--trace", type=Path, metavar="FILE", help="write what went over the wire, without words and secrets"
    )
    google.add_argument("--speed", type=float, default=1.0, help=argparse.SUPPRESS)  # of a simulator's clock


def run(args: argparse.Namespace) -> int:
    """0: all is well; 1: a step failed. Raises Failure when there is nothing to check."""
    if stray := _stray(args, _CALL if args.google else _GOOGLE):
        raise Failure(f"{stray} is {'not ' if args.google else ''}for --google.", code=USAGE)
    if args.before:
        return _look_ahead(args)
    if args.google:
        return _meet(args)
    if not (math.isfinite(args.seconds) and args.seconds > 0):
        raise Failure("--seconds is not a length of time.", code=USAGE)
    if args.stack and _explain_failure(args):
        return FAILED
    import asyncio

    from cli.doctor.failed_start import last_failure
    from cli.doctor.report import Report
    from cli.doctor.steps import Checkup

    deployment = _deployment(args)
    access = _access(args, deployment)
    report = Report(sys.stdout, access.url)
    names = {"AGENT": args.agent} | ({"STACK": deployment.name} if deployment else {})
    checkup = Checkup(names=names, is_local=bool(access.page))
    if not args.json:
        checkup.tell, checkup.wait = report.tell, report.wait
    if deployment is not None:
        checkup.why_no_relay = partial(last_failure, deployment)
    if not args.json:
        report.begin()
    asyncio.run(_examine(args, access, rotation_of(access, deployment), checkup))
    if args.json:
        print(json.dumps(report.summary(checkup)))
    else:
        report.end(checkup)
    return 0 if checkup.is_well else FAILED


def _explain_failure(args: argparse.Namespace) -> bool:
    """Say why a stack failed, if it did. True: there is nothing that could be checked."""
    from cli.doctor import failed_stack
    from cli.stack.deployed import stack_status

    status = stack_status(args.stack, args.region)
    if not failed_stack.is_failed(status):
        return False
    is_over = not status.startswith("UPDATE_ROLLBACK")  # else it works as before that update
    found = failed_stack.causes(args.stack, args.region)
    if not args.json:
        failed_stack.report(sys.stdout, args.stack, status, found)
    elif is_over:
        told = {
            "stack": args.stack,
            "status": status,
            "ok": False,
            "causes": [asdict(each) for each in found],
        }
        print(json.dumps(told))
    return is_over


def _stray(args: argparse.Namespace, options: Mapping[str, object]) -> str | None:
    """The first of these options that was given."""
    given = (name for name, default in options.items() if getattr(args, name) != default)
    return next((f"--{name.replace('_', '-')}" for name in given), None)


def _look_ahead(args: argparse.Namespace) -> int:
    from cli.doctor.before.account import Account
    from cli.doctor.before.examine import STEPS, examine
    from cli.doctor.before.machine import Machine
    from cli.doctor.report import Report
    from cli.doctor.steps import Checkup, Result
    from infra.deploy.settings import SETTINGS

    stack = args.stack or STACK
    report = Report(sys.stdout)
    checkup = Checkup(names={"STACK": stack}, results=[Result(name) for name in STEPS])
    if not args.json:
        checkup.tell = report.tell
        report.begin()
    examine(checkup, Machine(os.environ), Account(args.region), stack, SETTINGS)
    if args.json:
        print(json.dumps(report.summary(checkup)))
    else:
        report.end(checkup)
    return 0 if checkup.is_well else FAILED


def _meet(args: argparse.Namespace) -> int:
    from cli.doctor.google.contact import Contact, run
    from cli.stack.deployed import find_deployment
    from cli.stack.gemini_server import find_server

    if not (math.isfinite(args.speed) and args.speed > 0):
        raise Failure("--speed is not a number above 0.", code=USAGE)
    environment = dict(os.environ)
    deployment = find_deployment(args.stack, args.region) if args.stack else None
    if deployment:
        environment["GEMINI_API_KEY"] = deployment.gemini_key()
    server = find_server(args.gemini_url, environment)
    if deployment:
        server = replace(server, key_name=f"the parameter {deployment.key_parameter}")
    return run(Contact(server, args.model or MODEL, args.speed), as_json=args.json, trace=args.trace)


async def _examine(args: argparse.Namespace, access: Access, rotate: Rotate | None, checkup: Checkup) -> None:
    from cli.commands.talk import sample
    from cli.doctor.conversation_check import ConversationCheck
    from cli.doctor.steps import Stopped
    from cli.doctor.transport_checks import Roads
    from vivavoce.wavefile import read_wav

    recording = read_wav(sample())
    token = access.token if isinstance(access.token, str) else await access.token()
    try:
        await Roads(checkup, access.url, token, args.agent, args.seconds).walk()
        await ConversationCheck(access.url, access.token, args.agent, recording, rotate).run(checkup)
    except Stopped:
        return


def _deployment(args: argparse.Namespace) -> Deployment | None:
    from cli.stack.deployed import find_deployment

    return find_deployment(args.stack, args.region) if args.stack else None


def _access(args: argparse.Namespace, deployment: Deployment | None) -> Access:
    from cli.commands.token import of_stack
    from cli.stack.access import Access, find_access, given_token

    if deployment is None:
        return find_access(args.url, args.token)
    token = given_token(args.token) or of_stack(deployment, "doctor", TOKEN_MINUTES)
    return Access(args.url or deployment.control_url, token)


def rotation_of(access: Access, deployment: Deployment | None) -> Rotate | None:
    """Return the function that orders a change of the model's connection; None: it cannot be ordered here."""
    from cli.doctor.rotation import by_page, by_table

    if deployment is not None:
        return by_table(deployment)
    return by_page(access.page) if access.page else None
