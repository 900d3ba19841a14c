"""Have relays hand their calls on and end, as before a change by hand.

A relay reads the order within five seconds, has a replacement started when there is no room elsewhere, and
moves each call at a pause. Nobody's conversation ends.
"""

from __future__ import annotations

import argparse

from cli.commands.dev import LOCAL_PAGE
from cli.failure import USAGE, Failure


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stack", metavar="NAME", help="a deployed stack (default: the one on this machine)")
    parser.add_argument("--region", help="of the stack (default: the shell's)")
    parser.add_argument("--relay", metavar="ID", default="", help="only this one, of a deployed stack")
    parser.add_argument("--url", default=LOCAL_PAGE, help=f"a local stack's page (default: {LOCAL_PAGE})")


def run(args: argparse.Namespace) -> int:
    """Order relays to drain. Raises Failure when there is none."""
    if args.relay and not args.stack:
        raise Failure("--relay needs --stack.", code=USAGE)
    if args.stack:
        told = _in_table(args.stack, args.region, args.relay)
        print(f"{len(told)} told to leave: {' '.join(told)}")
    else:
        _by_page(args.url)
        print("The relays were told to leave.")
    return 0


def _by_page(page: str) -> None:
    import urllib.error
    import urllib.request

    from cli.stack.access import open_local

    url = f"{page.rstrip('/')}/dev/break/drain"
    try:
        open_local(urllib.request.Request(url, b"{}", {"Content-Type": "application/json"}))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 409:
            raise Failure("no relay is running.", "There is nothing to do.") from None
        raise Failure(f"{page} answered HTTP {error.code}.", "Is it a local stack's page?") from None
    except (OSError, ValueError):
        advice = 'Start a local stack with "vivavoce dev", or name a deployed one with --stack.'
        raise Failure(f"nothing answers at {page}.", advice) from None


def _in_table(stack: str, region: str | None, only: str) -> list[str]:
    from botocore.exceptions import BotoCoreError, ClientError

    from cli.stack.deployed import aws_client, find_deployment
    from records import relays
    from records.table import StoreError, Table

    deployment = find_deployment(stack, region)
    try:
        told = relays.drain(Table(aws_client("dynamodb", region), deployment.table), only)
    except (StoreError, ClientError, BotoCoreError) as error:
        what = f"the order could not be left ({type(error).__name__})."
        raise Failure(what, "Check the credentials, then try again.") from None
    if not told:
        raise Failure("no relay is running." if not only else f"no relay {only} is running.")
    return told
