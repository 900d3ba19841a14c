"""Make an admission token for development.

The deployment's own secret signs it, so this is for those who have that secret. In production tokens come
from your identity provider.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from cli.failure import USAGE, Failure

SECRET_BYTES = 32  #: as long as the signature's hash, or it is weaker than it (RFC 7518, 3.2)
LONGEST_MINUTES = 24 * 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "The token is printed on stdout; nothing else is."
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--secret-env", metavar="NAME", help="environment variable that holds the secret")
    source.add_argument(
        "--secret", metavar="SECRET", help="the secret, or - to read it from stdin (others can see arguments)"
    )
    parser.add_argument("--user", default="developer", help="who is admitted: `sub` (default: developer)")
    parser.add_argument("--minutes", type=int, default=60, help="how long it is valid (default: 60)")
    parser.add_argument("--audience", metavar="NAME", help="`aud`, if the deployment asks for one")


def run(args: argparse.Namespace) -> int:
    """Print an HS256 JWT. Raises Failure for a secret that is missing or too short."""
    import jwt

    if not 1 <= args.minutes <= LONGEST_MINUTES:
        raise Failure("--minutes is not between 1 and 1440.", code=USAGE)
    if not args.user:
        raise Failure("--user is empty.", code=USAGE)
    now = int(time.time())
    claims: dict[str, str | int] = {"sub": args.user, "iat": now, "exp": now + args.minutes * 60}
    if args.audience:
        claims["aud"] = args.audience
    print(jwt.encode(claims, _secret(args), algorithm="HS256"))
    return 0


def _secret(args: argparse.Namespace) -> str:
    if args.secret_env:
        secret, source = os.environ.get(args.secret_env, ""), f"${args.secret_env}"
    elif args.secret == "-":
        secret, source = sys.stdin.readline().rstrip("\r\n"), "stdin"
    else:
        secret, source = args.secret, "--secret"
    if len(secret.encode()) < SECRET_BYTES:
        found = f"holds {len(secret.encode())} bytes" if secret else "is empty or not set"
        raise Failure(
            f"the secret in {source} {found}; {SECRET_BYTES} are needed.",
            "Take the one of your deployment, or make one: openssl rand -base64 48",
            USAGE,
        )
    return secret
