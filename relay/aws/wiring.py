"""The relay's AWS clients, made once at start. Region, credentials and endpoints are boto3's own settings."""

from __future__ import annotations

import asyncio

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


def connect(config: RelayConfig) -> tuple[TableLedger, TaskRecord, Functions]:
    """Everything the relay needs of AWS. Region, credentials and endpoints are boto3's own settings."""
    table = Table(boto3.client("dynamodb", config=_settings(5, 3, STORE_THREADS)), config.table)
    functions = Functions(boto3.client("lambda", config=_settings(28, 2, config.capacity + 1)), config)
    targets = None
    if config.target_groups:
        targets = TargetGroup(
            boto3.client("elbv2", config=_settings(5, 3, 4)), config.target_groups, config.slot
        )
    ledger = TableLedger(table, meter=Meter(config.service))
    return ledger, TaskRecord(table, config, targets=targets), functions


async def find_address(config: RelayConfig, port: int) -> str:
    """host:port that the edge dials: the one that is set, else what EC2 calls us. Raises AddressUnknown."""
    if config.address:
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
