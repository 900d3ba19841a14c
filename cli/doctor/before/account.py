"""An AWS account as it may be asked about: calls that read, and how they are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cli.stack.deployed import aws_client

#: refusals that say only that these credentials may not ask
FORBIDDEN = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}

ClientFor = Callable[[str, str | None], Any]  #: service and region to a boto3 client


class Refused(Exception):
    """An error of AWS by its code, or of the way there by its type."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class MayNotAsk(Refused):
    """These credentials may deploy, perhaps, but not read that."""


@dataclass(frozen=True, slots=True)
class Account:
    """The account and region that the shell's credentials lead to."""

    region: str | None
    client: ClientFor = aws_client

    def place(self) -> str:
        """The region's name, if need be the shell's. Raises Refused: there is none."""
        from botocore.exceptions import BotoCoreError

        try:
            return str(self.client("ssm", self.region).meta.region_name)  # sts would do without one
        except BotoCoreError as error:
            raise Refused(type(error).__name__) from None

    def ask(self, service: str, operation: str, *, region: str = "", **request: Any) -> Any:
        """The answer of one call that reads. Raises Refused, MayNotAsk."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self.client(service, region or self.region), operation)(**request)
        except ClientError as error:
            code = str(error.response["Error"]["Code"])
            raise (MayNotAsk if code in FORBIDDEN else Refused)(code) from None
        except BotoCoreError as error:
            raise Refused(type(error).__name__) from None

    def find(self, missing: str, service: str, operation: str, **request: Any) -> Any | None:
        """As `ask`, and None where AWS answers that there is no such thing (error code `missing`)."""
        try:
            return self.ask(service, operation, **request)
        except Refused as refused:
            if refused.code == missing:
                return None
            raise
