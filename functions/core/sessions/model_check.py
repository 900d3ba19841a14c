"""Asks `mint`, while a task starts, whether there is a way to the model at all.

A refused key or an account without credit is then told within seconds, and not when the relay is up. A
MicroVM is up within seconds, and asks itself; its notice must not find this function and `mint` busy with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from functions.core.fleet import give_up_relay
from functions.core.fleet.allocate import Placement
from functions.core.runtime.entry import logger
from functions.core.runtime.ports import Ports
from functions.core.runtime.refusal import Refusal
from gemini.refusals import LASTING
from records.sessions import Session


@dataclass(frozen=True, slots=True)
class MintAhead:
    """Asks `mint` for what the session's relay will ask for, and does not wait for it."""

    client: Any
    function: str

    def __call__(self, session: Session, now: int) -> None:
        asked = {"session": session.id, "epoch": session.epoch, "relay": session.relay, "ahead_at": now}
        try:
            self.client.invoke(
                FunctionName=self.function, InvocationType="Event", Payload=json.dumps(asked).encode()
            )
        except (BotoCoreError, ClientError) as error:  # the relay asks, and waits
            logger.warning("not minted ahead", extra={"error": type(error).__name__})


def mint_ahead(ports: Ports, placed: Placement) -> None:
    """Have a token made while a MicroVM starts, for the first who waits for it.

    For the others it would be one more invocation of few, at the moment when most are made.
    """
    if placed.relay.state != "READY" and placed.relay.home == "microvm" and not placed.relay.leases:
        ports.mint_ahead(placed.session, ports.now())


@dataclass(frozen=True, slots=True)
class MintQuestion:
    """Port to `mint`. `client` is boto3's for Lambda, with short timeouts and without retries."""

    client: Any
    function: str

    def __call__(self, session: Session) -> str:
        """The code by which a credential for this session is refused; empty for none, and when unknown."""
        asked = {"session": session.id, "epoch": session.epoch, "relay": session.relay, "check": True}
        try:
            answer = self.client.invoke(FunctionName=self.function, Payload=json.dumps(asked).encode())
            body = json.loads(answer["Payload"].read() or b"null")
        except (BotoCoreError, ClientError, ValueError) as error:
            logger.warning("model not checked", extra={"error": type(error).__name__})
            return ""
        return str(body.get("error", "")) if isinstance(body, dict) else ""


def refuse_without_model(ports: Ports, placed: Placement) -> None:
    """End a session whose relay is still starting, if no relay could reach its model. Raises Refusal.

    One that has changed meanwhile is left alone: its relay asks, too.
    """
    if placed.relay.state == "READY" or placed.relay.home == "microvm":
        return
    code = ports.model_refusal(placed.session)
    if code in LASTING and give_up_relay.cancel_start(ports, placed.session, code):
        raise Refusal(code, session=placed.session.id)
