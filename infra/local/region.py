"""The made-up AWS region: its credentials, where its APIs answer, and what lies in it at the start."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

from infra.local.template import Table

#: Keeps the models of services once they are parsed, which takes 0.1 s for each.
_MODELS = Loader()


def new_access_key() -> str:
    """One that no other stack has."""
    return f"LOCAL{secrets.token_hex(8).upper()}"


@dataclass(frozen=True, slots=True)
class Region:
    """`endpoints` maps a service to its URL; every other service answers at `default_url`."""

    name: str
    default_url: str
    endpoints: Mapping[str, str]
    access_key: str = field(default_factory=new_access_key)

    def environment(self) -> dict[str, str]:
        """What makes an SDK talk to this region, and to no other by mistake."""
        named = {
            f"AWS_ENDPOINT_URL_{name.upper().replace('-', '_')}": url for name, url in self.endpoints.items()
        }
        return named | {
            "AWS_ENDPOINT_URL": self.default_url,
            "AWS_REGION": self.name,
            "AWS_DEFAULT_REGION": self.name,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_SESSION_TOKEN": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str, *, url: str = "") -> Any:
        """A boto3 client for `service`; `url` for an API that has no fixed place."""
        models = botocore.session.get_session()
        models.register_component("data_loader", _MODELS)
        session = boto3.Session(self.access_key, "local", region_name=self.name, botocore_session=models)
        config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60, proxies={})
        endpoint = url or self.endpoints.get(service, self.default_url)
        return session.client(service, endpoint_url=endpoint, config=config)


def furnish(region: Region, table: Table, parameters: Mapping[str, str]) -> None:
    """Creates the table, with its expiry, and the SecureString parameters. Blocks for a second."""
    dynamodb = region.client("dynamodb")
    dynamodb.create_table(**table.definition)
    if table.ttl_attribute:
        expiry = {"Enabled": True, "AttributeName": table.ttl_attribute}
        dynamodb.update_time_to_live(TableName=table.name, TimeToLiveSpecification=expiry)
    ssm = region.client("ssm")
    for name, value in parameters.items():
        ssm.put_parameter(Name=name, Value=value, Type="SecureString")
