"""The relay's AWS clients, made once at start. Region, credentials and endpoints are boto3's own settings."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from records.table import Table
from relay.aws.lambdas import Functions
from relay.aws.session_store import TableLedger
from relay.aws.store import STORE_THREADS
from relay.aws.task_record import TaskRecord
from relay.client.origin_secret import OriginCheck, OriginSecret, allow_any_origin
from relay.config import RelayConfig
from relay.metrics import Meter
from relay.ports import LedgerUnavailable
from relay.task.address import AddressUnknown, TargetGroup, network_interface, public_name

SERVICES = ("dynamodb", "lambda")  #: of every relay, wherever it lives


@dataclass(frozen=True, slots=True)
class Cloud:
    """Everything the relay needs of AWS."""

    ledger: TableLedger
    task: TaskRecord
    functions: Functions
    clients: Sequence[Any]

    def forget_connections(self) -> None:
        """Calls from now on connect anew: those of before a suspension are dead, and some do not show it."""
        for client in self.clients:
            client.close()


def connect(config: RelayConfig) -> Cloud:
    """Clients for one relay. Region, credentials and endpoints are boto3's own settings."""
    dynamodb = boto3.client("dynamodb", config=_settings(5, 3, STORE_THREADS))
    lambdas = boto3.client("lambda", config=_settings(28, 2, config.capacity + 1))
    table, targets = Table(dynamodb, config.table), None
    if config.target_groups:
        targets = TargetGroup(
            boto3.client("elbv2", config=_settings(5, 3, 4)), config.target_groups, config.slot
        )
    ledger = TableLedger(table, meter=Meter(config.service))
    task = TaskRecord(table, config, targets=targets)
    return Cloud(ledger, task, Functions(lambdas, config), (dynamodb, lambdas))


def prepare() -> None:
    """Read the services' models, which is most of what `connect` does. Signs and calls nothing."""
    for service in SERVICES:
        boto3.client(service, aws_access_key_id="-", aws_secret_access_key="-").close()


async def find_address(config: RelayConfig, port: int) -> str:
    """host:port that the edge dials: the one that is set, else what EC2 calls us. Raises AddressUnknown.

    Empty in a MicroVM: whoever launched it was told its endpoint, and has written that down.
    """
    if config.address or config.home == "microvm":
        return config.address
    if not config.metadata_url:
        return f"{config.host}:{port}"
    ec2 = boto3.client("ec2", config=_settings(5, 3, 4))
    mac, _ = await asyncio.to_thread(network_interface, config.metadata_url)
    try:
        return f"{await asyncio.to_thread(public_name, ec2, mac)}:{port}"
    except (BotoCoreError, ClientError) as error:
        raise AddressUnknown(type(error).__name__) from None


def origin_check(config: RelayConfig) -> OriginCheck:
    """Who may process_request: anybody who can, or only our edge."""
    if not config.origin_secret_parameter:
        return allow_any_origin
    ssm, name = boto3.client("ssm", config=_settings(5, 3, 4)), config.origin_secret_parameter

    def read() -> str:
        try:
            return str(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
        except (BotoCoreError, ClientError):
            raise LedgerUnavailable from None

    return OriginSecret(read)


def _settings(read_s: int, attempts: int, threads: int) -> Config:
    return Config(
        connect_timeout=2,
        read_timeout=read_s,
        retries={"mode": "standard", "max_attempts": attempts},
        max_pool_connections=threads,
    )
