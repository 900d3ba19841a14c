"""Make an admission token for development, or a link that opens a stack's page signed in.

With --local the stack on this machine makes it. Elsewhere the deployment's own secret signs it, so this is
for those who have that secret. In production tokens come from your identity provider.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING

from cli.commands.dev import LOCAL_PAGE
from cli.failure import USAGE, Failure

if TYPE_CHECKING:
    from cli.stack.deployed import Deployment

SECRET_BYTES = 32  #: as long as the signature's hash, or it is weaker than it (RFC 7518, 3.2)
LONGEST_MINUTES = 24 * 60
DEVELOPER = "developer"  #: who is admitted, unless --user says otherwise
LINK_MINUTES = 15  #: a link gets into histories and chats


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "The token or link is printed on stdout; nothing else is."
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--local",
        action="store_true",
        help='the stack of "vivavoce dev": a token for an hour',
    )
    source.add_argument(
        "--stack", metavar="NAME", help="a deployed stack: print a link to its page (needs AWS credentials)"
    )
    source.add_argument("--secret-env", metavar="NAME", help="environment variable that holds the secret")
    source.add_argument(
        "--secret", metavar="SECRET", help="the secret, or - to read it from stdin (others can see arguments)"
    )
    parser.add_argument("--url", metavar="PAGE", help=f"the local stack's page (default: {LOCAL_PAGE})")
    parser.add_argument("--region", help="of the stack (default: the shell's)")
    parser.add_argument("--user", help="who is admitted: `sub` (default: developer)")
    parser.add_argument("--minutes", type=int, help="how long it is valid (default: 60, of a link 15)")
    parser.add_argument("--audience", metavar="NAME", help="`aud`, if the deployment asks for one")


def run(args: argparse.Namespace) -> int:
    """Print an HS256 JWT, or a link with one. Raises Failure for a secret that is missing or too short."""
    if args.local:
        print(_local(args))
        return 0
    if args.url:
        raise Failure("--url is a local stack's page.", "Give --local with it.", USAGE)
    minutes = args.minutes if args.minutes is not None else LINK_MINUTES if args.stack else 60
    if not 1 <= minutes <= LONGEST_MINUTES:
        raise Failure("--minutes is not between 1 and 1440.", code=USAGE)
    user = DEVELOPER if args.user is None else args.user
    if not user:
        raise Failure("--user is empty.", code=USAGE)
    if args.stack:
        print(_link(args, user, minutes))
        return 0
    print(sign(_secret(args), user, minutes, args.audience or ""))
    return 0


def sign(secret: str, user: str, minutes: int, audience: str = "") -> str:
    """An HS256 JWT as our `$connect` wants it."""
    import jwt

    now = int(time.time())
    claims: dict[str, str | int] = {"sub": user, "iat": now, "exp": now + minutes * 60}
    if audience:
        claims["aud"] = audience
    return jwt.encode(claims, secret, algorithm="HS256")


def of_stack(deployment: Deployment, user: str, minutes: int) -> str:
    """A token that this stack admits. Raises Failure."""
    secret = deployment.secret()
    _check(secret, f"the SSM parameter {deployment.secret_parameter}")
    return sign(secret, user, minutes, deployment.audience)


def _local(args: argparse.Namespace) -> str:
    """A token of the local stack's own user. Raises Failure: no stack is there, or a claim is asked for."""
    from cli.stack.access import read_page

    for name in ("user", "minutes", "audience", "region"):
        if getattr(args, name) is not None:
            raise Failure(f"--{name} means nothing with --local.", "The local stack makes the token.", USAGE)
    return read_page(args.url or LOCAL_PAGE).token


def _link(args: argparse.Namespace, user: str, minutes: int) -> str:
    """Link with the token in the fragment, which no server sees and the page removes at once."""
    from cli.stack.deployed import find_deployment

    deployment = find_deployment(args.stack, args.region)
    token = of_stack(deployment, user, minutes)
    if not deployment.page_url:
        print("this stack serves no page (ServePage): here is the token alone", file=sys.stderr)
        return token
    return f"{deployment.page_url.rstrip('/')}/#token={token}"


def _secret(args: argparse.Namespace) -> str:
    if args.secret_env:
        secret, source = os.environ.get(args.secret_env, ""), f"${args.secret_env}"
    elif args.secret == "-":
        secret, source = sys.stdin.readline().rstrip("\r\n"), "stdin"
    else:
        secret, source = args.secret, "--secret"
    _check(secret, source)
    return secret


def _check(secret: str, source: str) -> None:
    if len(secret.encode()) < SECRET_BYTES:
        found = f"holds {len(secret.encode())} bytes" if secret else "is empty or not set"
        raise Failure(
            f"the secret in {source} {found}; {SECRET_BYTES} are needed.",
            "Take the one of your deployment, or make one: openssl rand -base64 48",
            USAGE,
        )
