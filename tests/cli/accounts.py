"""AWS accounts as `doctor --before` meets them: boto3's own clients, answered before anything is sent.

What is asked and what is answered is held to botocore's models of the services, so that neither can be of a
shape that AWS does not have.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.validate import ParamValidator

REGION = "eu-west-1"
KEY = "a-key-that-nobody-may-ever-see-in-a-report"
CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/1"


@dataclass(frozen=True)
class Error:
    """How AWS refuses a call."""

    code: str
    message: str = ""
    status: int = 400


Answers = dict[tuple[str, str], Any]

#: An account that has had stacks before, and none of ours: "service", "Operation" to what it answers.
WELL: Answers = {
    ("sts", "GetCallerIdentity"): {"Account": "111122223333", "Arn": "arn:aws:iam::111122223333:user/ann"},
    ("cloudformation", "DescribeStacks"): Error("ValidationError", "Stack with id vivavoce does not exist"),
    ("logs", "DescribeLogGroups"): {"logGroups": []},
    ("cloudfront", "ListKeyValueStores"): {"KeyValueStoreList": {"MaxItems": 50, "Quantity": 0}},
    ("ssm", "GetParameter"): {"Parameter": {"Name": "x", "Type": "SecureString", "Value": KEY}},
    ("acm", "DescribeCertificate"): {
        "Certificate": {
            "Status": "ISSUED",
            "DomainName": "voice.example.com",
            "SubjectAlternativeNames": ["voice.example.com"],
        }
    },
    ("iam", "GetRole"): {
        "Role": {
            "Path": "/aws-service-role/ecs.amazonaws.com/",
            "RoleName": "AWSServiceRoleForECS",
            "RoleId": "AROAEXAMPLEEXAMPLE01",
            "Arn": "arn:aws:iam::111122223333:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
            "CreateDate": "2026-01-01T00:00:00Z",
        }
    },
    ("cloudfront", "ListDistributions"): {
        "DistributionList": {"Marker": "", "MaxItems": 1, "IsTruncated": True, "Quantity": 1}
    },
    ("service-quotas", "fargate"): {"Quota": {"QuotaCode": "L-3032A538", "Value": 6.0}},
    ("service-quotas", "L-F678F1CE"): {"Quota": {"QuotaCode": "L-F678F1CE", "Value": 5.0}},
    ("service-quotas", "L-0EA8095F"): Error("NoSuchResourceException", "no value of its own"),
    ("service-quotas", "default"): {"Quota": {"QuotaCode": "L-0EA8095F", "Value": 60.0}},
    ("service-quotas", "lambda"): {
        "Quotas": [
            {"QuotaName": "Concurrent executions", "Value": 1000.0},
            {"QuotaName": "MicroVM memory (GB)", "Value": 8.0},
        ]
    },
    ("lambda", "GetAccountSettings"): {"AccountLimit": {"ConcurrentExecutions": 1000}},
    ("ec2", "DescribeVpcAttribute"): {"VpcId": "vpc-0a", "EnableDnsHostnames": {"Value": True}},
    ("ec2", "DescribeSubnets"): {
        "Subnets": [
            {"SubnetId": "subnet-0a", "AvailabilityZone": "eu-west-1a"},
            {"SubnetId": "subnet-0b", "AvailabilityZone": "eu-west-1b"},
        ]
    },
    ("ec2", "DescribeVpcs"): {"Vpcs": [{"VpcId": "vpc-1"}]},
}


@dataclass
class EmulatedAccount:
    """Clients by service. `asked` has every call, as (service, operation)."""

    answers: Answers = field(default_factory=lambda: copy.deepcopy(WELL))
    region: str = REGION
    asked: list[tuple[str, str]] = field(default_factory=list)
    regions: dict[str, str] = field(default_factory=dict)  #: service to the region that it was last asked in

    def client(self, service: str, region: str | None) -> Any:
        made = boto3.client(
            service,
            region_name=region or self.region,
            aws_access_key_id="AKIAEXAMPLE",
            aws_secret_access_key="secret",
        )
        made.meta.events.register("before-call.*.*", self._answer)
        self.regions[service] = made.meta.region_name
        return made

    def _answer(self, model: Any, params: Mapping[str, Any], context: Mapping[str, Any], **_: Any) -> Any:
        service = model.service_model.service_name
        self.asked.append((service, model.name))
        found = self.answers[service, self._which(service, model.name, params)]
        if isinstance(found, Error):
            told = {"Error": {"Code": found.code, "Message": found.message}, "ResponseMetadata": {}}
            return SimpleNamespace(status_code=found.status), told
        report = ParamValidator().validate(found, model.output_shape)
        assert not report.has_errors(), report.generate_report()
        return SimpleNamespace(status_code=200), {**found, "ResponseMetadata": {}}

    def _which(self, service: str, operation: str, params: Mapping[str, Any]) -> str:
        """A quota is told apart by its code."""
        if service != "service-quotas":
            return operation
        if operation == "ListServiceQuotas":
            return "lambda"
        if operation == "GetAWSDefaultServiceQuota":
            return "default"
        body = str(params["body"])
        return "fargate" if "fargate" in body else next(c for c in ("L-F678F1CE", "L-0EA8095F") if c in body)
