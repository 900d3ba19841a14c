"""`doctor --before`: what would make a deployment fail, planted alone, is named, and nothing else."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from cli.doctor.before import looks
from cli.doctor.before.account import Account
from cli.doctor.before.examine import STEPS, examine
from cli.doctor.before.machine import Machine
from cli.doctor.remedies import remedies
from cli.doctor.report import Report
from cli.doctor.steps import Checkup, Result
from cli.main import main
from infra.deploy.embed import TEMPLATE
from tests.cli.accounts import CERTIFICATE, KEY, REGION, EmulatedAccount, Error

Found = set[tuple[str, str]]


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


class Here:
    """A machine with all that is needed, and an account that is well. Tests take something away."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.account = EmulatedAccount()
        self.programs = {"python3": "Python 3.12.4", "python3.13": "Python 3.13.1"}
        self.programs |= {"sam": "SAM CLI, version 1.172.1", "make": "GNU Make 4.3"}
        self.environment: dict[str, str] = {}
        self.settings = ""

    def look(self, stack: str = "vivavoce") -> Checkup:
        programs = self.directory / "bin"
        programs.mkdir()
        for name, says in self.programs.items():
            (programs / name).write_text(f"#!/bin/sh\necho '{says}'\n")
            (programs / name).chmod(0o755)
        file = self.directory / "deployment.yaml"
        file.write_text(self.settings)
        self.checkup = Checkup(names={"STACK": stack}, results=[Result(name) for name in STEPS])
        machine = Machine(self.environment | {"PATH": str(programs)})
        examine(self.checkup, machine, Account(None, self.account.client), stack, file)
        return self.checkup

    def found(self) -> Found:
        """Steps that are not well, each with its code."""
        return {(r.name, r.code) for r in self.look().results if r.state in ("failed", "note")}


def test_an_account_and_a_machine_that_are_well_are_found_to_be(here: Here) -> None:
    assert here.found() == set()
    states = {result.name: result.state for result in here.checkup.results}
    assert states == dict.fromkeys(STEPS, "ok") | dict.fromkeys(("secret", "domain", "microvms"), "left out")


def answers(service: str, operation: str, answer: Any) -> Callable[[Here], None]:
    return lambda here: here.account.answers.__setitem__((service, operation), answer)


def sets(text: str) -> Callable[[Here], None]:
    return lambda here: setattr(here, "settings", text)


def programs(**said: str | None) -> Callable[[Here], None]:
    def change(here: Here) -> None:
        for name, says in said.items():
            here.programs.pop(name, None)
            if says:
                here.programs[name] = says

    return change


def stack_is(status: str, **parameters: str) -> Callable[[Here], None]:
    described = {"StackName": "vivavoce", "CreationTime": "2026-01-01T00:00:00Z", "StackStatus": status}
    described |= {
        "Parameters": [{"ParameterKey": name, "ParameterValue": each} for name, each in parameters.items()]
    }
    return answers("cloudformation", "DescribeStacks", {"Stacks": [described]})


def parameter(kind: str, value: str) -> dict[str, Any]:
    return {"Parameter": {"Name": "x", "Type": kind, "Value": value}}


def both(*changes: Callable[[Here], None]) -> Callable[[Here], None]:
    return lambda here: [change(here) for change in changes] and None


CERTIFIED = f"MediaDomain: voice.example.com\nMediaCertificateArn: {CERTIFICATE}\n"
OWN_VPC = sets("VpcId: vpc-0a\nSubnetIds: subnet-0a,subnet-0b\n")
OWN_SECRET = "JwtSecretParameter: /mine\n"

IN_MICROVMS = "RelayHomes: both\nMicrovmCode: s3://bucket/relay.zip\n"

#: what is planted, to the one finding
PLANTED: dict[tuple[str, str, str], Callable[[Here], None]] = {
    ("python", "no_python", ""): programs(python3=None),
    ("python", "old_python", "CloudShell"): programs(python3="Python 3.9.18"),
    ("sam", "no_sam", ""): programs(sam=None),
    ("sam", "old_sam", ""): programs(sam="SAM CLI, version 1.120.0"),
    ("sam", "no_make", ""): programs(make=None),
    ("settings", "mistake", "a name"): sets("WarmRelay: 1\n"),
    ("settings", "mistake", "a value"): sets("ServePage: false\n"),
    ("settings", "mistake", "no YAML"): sets("- [\n"),
    ("stack", "to_delete", "first deployment failed"): stack_is("ROLLBACK_COMPLETE"),
    ("stack", "to_delete", "deletion failed"): stack_is("DELETE_FAILED"),
    ("stack", "to_continue", ""): stack_is("UPDATE_ROLLBACK_FAILED"),
    ("stack", "busy", ""): stack_is("UPDATE_IN_PROGRESS"),
    ("leftovers", "log_groups", ""): answers(
        "logs", "DescribeLogGroups", {"logGroups": [{"logGroupName": "/aws/lambda/vivavoce-keys"}]}
    ),
    ("leftovers", "edge_store", ""): answers(
        "cloudfront",
        "ListKeyValueStores",
        {
            "KeyValueStoreList": {
                "MaxItems": 50,
                "Quantity": 1,
                "Items": [
                    {
                        "Name": f"vivavoce-{REGION}",
                        "Id": "1",
                        "Comment": "",
                        "ARN": "arn:aws:cloudfront::111122223333:key-value-store/1",
                        "LastModifiedTime": "2026-01-01T00:00:00Z",
                    }
                ],
            }
        },
    ),
    ("stack", "moved", "a limit that was deployed otherwise"): stack_is(
        "UPDATE_COMPLETE", MinutesPerDay="60", StartsPerMinute="10", WarmRelays="3"
    ),
    ("stack", "moved", "and another that the file sets"): both(
        stack_is("UPDATE_COMPLETE", MinutesPerDay="60", StartsPerMinute="20"), sets("MinutesPerDay: 90\n")
    ),
    ("key", "missing", ""): answers("ssm", "GetParameter", Error("ParameterNotFound")),
    ("key", "not_secure", ""): answers("ssm", "GetParameter", parameter("String", KEY)),
    ("key", "blank", "a line break"): answers("ssm", "GetParameter", parameter("SecureString", f"{KEY}\n")),
    ("domain", "half", ""): sets("MediaDomain: voice.example.com\n"),
    ("domain", "no_certificate", "another region"): both(
        sets(CERTIFIED), answers("acm", "DescribeCertificate", Error("ResourceNotFoundException"))
    ),
    ("domain", "not_issued", ""): both(
        sets(CERTIFIED),
        answers(
            "acm",
            "DescribeCertificate",
            {"Certificate": {"Status": "PENDING_VALIDATION", "DomainName": "voice.example.com"}},
        ),
    ),
    ("domain", "other_name", ""): both(
        sets(CERTIFIED),
        answers(
            "acm", "DescribeCertificate", {"Certificate": {"Status": "ISSUED", "DomainName": "example.com"}}
        ),
    ),
    ("ecs role", "no_role", ""): answers("iam", "GetRole", Error("NoSuchEntity", status=404)),
    ("cloudfront", "never_used", ""): answers(
        "cloudfront",
        "ListDistributions",
        {"DistributionList": {"Marker": "", "MaxItems": 1, "IsTruncated": False, "Quantity": 0}},
    ),
    ("vcpu", "few", "a new account"): answers(
        "service-quotas", "fargate", {"Quota": {"QuotaCode": "L-3032A538", "Value": 0.25}}
    ),
    ("vcpu", "few", "for what is kept warm"): sets("WarmRelays: 23\n"),
    ("microvms", "few", "for what sleeps"): sets(IN_MICROVMS + "SleepingRelays: 15\n"),
    ("microvms", "few", "a new account"): both(
        sets(IN_MICROVMS),
        answers("service-quotas", "lambda", {"Quotas": [{"QuotaName": "Memory of MicroVMs", "Value": 0.5}]}),
    ),
    ("microvms", "unknown", "under another name"): both(
        sets(IN_MICROVMS), answers("service-quotas", "lambda", {"Quotas": []})
    ),
    ("microvms", "no_region", ""): both(
        sets(IN_MICROVMS), lambda here: setattr(here.account, "region", "eu-central-1")
    ),
    ("microvms", "nowhere", ""): both(
        sets(IN_MICROVMS.replace("both", "microvm")),
        lambda here: setattr(here.account, "region", "eu-central-1"),
    ),
    ("functions", "few", ""): answers(
        "lambda", "GetAccountSettings", {"AccountLimit": {"ConcurrentExecutions": 10}}
    ),
    ("vpc", "full", ""): answers(
        "ec2", "DescribeVpcs", {"Vpcs": [{"VpcId": f"vpc-{number}"} for number in range(5)]}
    ),
    ("vpc", "half", ""): sets("VpcId: vpc-0a\n"),
    ("vpc", "no_vpc", ""): both(
        OWN_VPC, answers("ec2", "DescribeVpcAttribute", Error("InvalidVpcID.NotFound"))
    ),
    ("vpc", "no_hostnames", ""): both(
        OWN_VPC,
        answers("ec2", "DescribeVpcAttribute", {"VpcId": "vpc-0a", "EnableDnsHostnames": {"Value": False}}),
    ),
    ("vpc", "other_subnets", ""): both(
        OWN_VPC,
        answers(
            "ec2",
            "DescribeSubnets",
            {"Subnets": [{"SubnetId": "subnet-0a", "AvailabilityZone": "eu-west-1a"}]},
        ),
    ),
    ("vpc", "one_zone", ""): both(
        OWN_VPC,
        answers(
            "ec2",
            "DescribeSubnets",
            {"Subnets": [{"SubnetId": f"subnet-0{n}", "AvailabilityZone": "eu-west-1a"} for n in "ab"]},
        ),
    ),
    ("vpc", "few_rules", ""): answers(
        "service-quotas", "default", {"Quota": {"QuotaCode": "L-0EA8095F", "Value": 50.0}}
    ),
}


@pytest.mark.parametrize("planted", PLANTED, ids=" ".join)
def test_what_is_planted_is_named_and_nothing_else(here: Here, planted: tuple[str, str, str]) -> None:
    PLANTED[planted](here)
    assert here.found() == {planted[:2]}
    (said,) = [result.advice for result in here.checkup.results if result.code]
    assert said and "STACK" not in said


def test_a_limit_that_the_file_sets_as_it_was_deployed_is_well(here: Here) -> None:
    both(stack_is("UPDATE_COMPLETE", MinutesPerDay="60"), sets("MinutesPerDay: 60\n"))(here)
    assert here.found() == set()


SECRETS = {
    "missing": Error("ParameterNotFound"),
    "not_secure": parameter("String", KEY),
    "blank": parameter("SecureString", " "),
}


@pytest.mark.parametrize(("code", "answer"), SECRETS.items())
def test_a_secret_that_is_brought_is_looked_at_as_the_key_is(here: Here, code: str, answer: Any) -> None:
    here.settings = OWN_SECRET + "VertexProject: p\n"  # no key to be found wrong with it
    here.account.answers["ssm", "GetParameter"] = answer
    assert here.found() == {("secret", code)}


#: what leaves nothing else to ask
SIGNED_OUT = {
    "ExpiredToken": "expired",
    "InvalidClientTokenId": "invalid",
    "SignatureDoesNotMatch": "invalid",
    "RequestTimeout": "unreachable",
}


@pytest.mark.parametrize(("code", "said"), SIGNED_OUT.items())
def test_credentials_that_are_refused_are_named_and_nothing_else_is_asked(
    here: Here, code: str, said: str
) -> None:
    here.account.answers["sts", "GetCallerIdentity"] = Error(code, "no", 403)
    assert here.found() == {("identity", said)}
    assert here.account.asked == [("sts", "GetCallerIdentity")]
    assert here.checkup.results[-1].state == "not reached"


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({}, "no_region"),
        ({"AWS_DEFAULT_REGION": REGION}, "no_credentials"),
        ({"AWS_DEFAULT_REGION": REGION, "AWS_PROFILE": "nobody"}, "no_profile"),
    ],
)
def test_a_shell_without_credentials_profile_or_region_is_told_what_is_missing(
    variables: dict[str, str],
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    for file in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        nowhere[file] = str(tmp_path / "none")
    for name, value in (nowhere | variables).items():
        monkeypatch.setenv(name, value)
    assert main(["doctor", "--before", "--json"]) == 1
    steps = {step["name"]: step for step in json.loads(capsys.readouterr().out)["steps"]}
    assert (steps["identity"]["state"], steps["identity"]["code"]) == ("failed", code)


@pytest.mark.parametrize(
    ("service", "operation", "step"),
    [
        ("service-quotas", "fargate", "vcpu"),
        ("iam", "GetRole", "ecs role"),
        ("logs", "DescribeLogGroups", "leftovers"),
        ("ssm", "GetParameter", "key"),
    ],
)
def test_what_the_credentials_may_not_ask_is_left_out_and_not_a_finding(
    here: Here, service: str, operation: str, step: str
) -> None:
    here.account.answers[service, operation] = Error("AccessDeniedException", "not authorized", 403)
    assert here.found() == set()
    (result,) = [result for result in here.checkup.results if result.name == step]
    assert result.state == "left out" and "may not ask" in result.detail


def test_a_stack_that_is_there_is_updated_and_is_no_leftover_of_itself(here: Here) -> None:
    stack_is("UPDATE_COMPLETE")(here)
    here.account.answers["ec2", "DescribeVpcs"] = {"Vpcs": [{"VpcId": str(n)} for n in range(5)]}
    groups = [{"logGroupName": "/aws/lambda/vivavoce-keys"}]
    here.account.answers["logs", "DescribeLogGroups"] = {"logGroups": groups}
    assert here.found() == set()


def test_a_vpc_that_is_given_needs_no_room_for_another(here: Here) -> None:
    OWN_VPC(here)
    here.account.answers["ec2", "DescribeVpcs"] = {"Vpcs": [{"VpcId": str(n)} for n in range(5)]}
    assert here.found() == set()


def test_what_only_tasks_need_is_not_looked_for_where_there_are_none(here: Here) -> None:
    here.settings = IN_MICROVMS.replace("both", "microvm")
    assert here.found() == set()
    left_out = {result.name for result in here.checkup.results if result.state == "left out"}
    assert left_out == {"secret", "domain", "ecs role", "cloudfront", "vcpu", "vpc"}


def test_microvms_are_looked_for_where_they_are_and_the_template_says_the_same(here: Here) -> None:
    here.settings = IN_MICROVMS
    assert here.found() == set()
    (seen,) = [result for result in here.checkup.results if result.name == "microvms"]
    assert seen.detail == "8 GB of MicroVMs: 16 relays, 48 calls"
    template = yaml_parse(TEMPLATE.read_text("utf-8"))
    _, regions = template["Conditions"]["HasMicrovms"]["Fn::And"]
    assert {each["Fn::Equals"][1] for each in regions["Fn::Or"]} == looks.MICROVM_REGIONS
    resources = template["Resources"]
    assert f'"MinimumMemoryInMiB": {looks.MICROVM_GB * 1024:.0f}' in json.dumps(resources)


def test_the_certificate_is_looked_for_where_cloudfront_does(here: Here) -> None:
    here.settings = CERTIFIED
    assert here.found() == set()
    assert here.account.regions["acm"] == "us-east-1"


def test_nothing_is_changed(here: Here) -> None:
    here.settings = CERTIFIED + OWN_SECRET
    here.look()
    assert all(re.match("Get|List|Describe", operation) for _, operation in here.account.asked)


def test_no_secret_is_shown(here: Here, capsys: pytest.CaptureFixture[str]) -> None:
    here.account.answers["ssm", "GetParameter"] = parameter("String", KEY)
    here.settings = OWN_SECRET
    checkup = here.look()
    report = Report(sys.stdout)
    for result in checkup.results:
        report.tell(result)
    report.end(checkup)
    said = capsys.readouterr().out
    assert KEY not in said and "SecureString" in said
    assert all(len(line) <= 80 for line in said.splitlines() if "http" not in line)


def test_each_finding_that_there_is_was_planted() -> None:
    """Of the steps before a deployment, every code that has a remedy."""
    planted = {key[:2] for key in PLANTED} | {("identity", code) for code in SIGNED_OUT.values()}
    planted |= {("identity", code) for code in ("no_credentials", "no_profile", "no_region")}
    planted |= {("secret", code) for code in SECRETS}
    assert planted == {(step, code) for step in STEPS for code in remedies()[step]}
    assert set(looks.STUCK.values()) <= remedies()["stack"].keys()
