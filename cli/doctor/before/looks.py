"""Looks at an account, one for each step: each tells what it saw, or raises Trouble or Note."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.doctor.before.account import Account, Refused
from cli.doctor.steps import Note, Result, Trouble
from functions.core.runtime.settings import SETTINGS

NEEDED_RELAYS = 2  #: a call moves from one to another when a deployment replaces it
NEEDED_ZONES = 2  #: of an internal load balancer; and capacity may be out in one
FEW_FUNCTIONS = 100  #: concurrent executions below which some callers at once are refused
PREFIX_LIST_RULES = 56  #: CloudFront's addresses count as 55 rules; and one
VCPU_QUOTA, VPC_QUOTA, RULE_QUOTA = "L-3032A538", "L-F678F1CE", "L-0EA8095F"
_MEMORY = re.compile(r"microvm.*memory|memory.*microvm", re.IGNORECASE)
MICROVM_GB = 0.5  #: of one relay, as template.yaml has it
MICROVM_REGIONS = {"us-east-1", "us-east-2", "us-west-2", "eu-west-1", "ap-northeast-1"}  #: likewise
CERTIFICATES = "us-east-1"  #: the one region in which CloudFront looks for certificates

#: states of a stack from which it cannot be updated, to the code that says what to do
STUCK = {
    "ROLLBACK_COMPLETE": "to_delete",
    "ROLLBACK_FAILED": "to_delete",
    "CREATE_FAILED": "to_delete",
    "DELETE_FAILED": "to_delete",
    "REVIEW_IN_PROGRESS": "to_delete",
    "UPDATE_ROLLBACK_FAILED": "to_continue",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be deployed: the stack's name, the template's parameters with what is set."""

    stack: str
    settings: Mapping[str, str]

    @property
    def vcpu(self) -> float:
        """Of one relay."""
        return float(self.settings["RelayCpu"]) / 1024

    @property
    def relays(self) -> int:
        """The most at a time."""
        return int(self.settings["MaxRelays"])


def identity(account: Account, step: Result) -> None:
    """Who these credentials are."""
    try:
        region = account.place()
        who = account.ask("sts", "get_caller_identity")
    except Refused as refused:
        raise Trouble(_CREDENTIALS.get(refused.code, "unreachable"), f"AWS: {refused.code}") from None
    step.detail = f"account {who['Account']}, region {region}"


_CREDENTIALS = {
    "NoCredentialsError": "no_credentials",
    "ProfileNotFound": "no_profile",
    "NoRegionError": "no_region",
    "ExpiredToken": "expired",
    "ExpiredTokenException": "expired",
    "InvalidClientTokenId": "invalid",
    "SignatureDoesNotMatch": "invalid",
    "TokenRetrievalError": "expired",
    "UnauthorizedSSOTokenError": "expired",
    "SSOTokenLoadError": "expired",
}


def stack(account: Account, plan: Plan, step: Result) -> bool:
    """Whether it is there already. A stack that can only be deleted is in the way."""
    found = account.find("ValidationError", "cloudformation", "describe_stacks", StackName=plan.stack)
    if found is None:
        step.detail = f"there is no {plan.stack} yet"
        return False
    status = str(found["Stacks"][0]["StackStatus"])
    if status in STUCK:
        raise Trouble(STUCK[status], f"{plan.stack} is {status}")
    if status.endswith("_IN_PROGRESS"):
        raise Trouble("busy", f"{plan.stack} is {status}")
    if lost := list(_lost(found["Stacks"][0].get("Parameters", []), plan)):
        raise Trouble("moved", "; ".join(lost))
    step.detail = f"{plan.stack} is {status}, and will be updated"
    return True


def _lost(parameters: Sequence[Mapping[str, str]], plan: Plan) -> Iterator[str]:
    """Values that the stack was given for what is no parameter any more, and that the file does not set."""
    for each in parameters:
        name, had = each["ParameterKey"], each.get("ParameterValue", "")
        if name in SETTINGS and had != plan.settings[name]:
            yield f"{name} was deployed as {had!r}, and would be {plan.settings[name]!r}"


def leftovers(account: Account, plan: Plan, step: Result) -> None:
    """Things with a stack's fixed names, without the stack: a new one could not make them."""
    groups = [
        str(each["logGroupName"])
        for prefix in (f"/aws/lambda/{plan.stack}-", f"/vivavoce/{plan.stack}/")
        for each in account.ask("logs", "describe_log_groups", logGroupNamePrefix=prefix)["logGroups"]
    ]
    if groups:
        raise Trouble("log_groups", f"log groups of an earlier one: {', '.join(groups)}")
    name = f"{plan.stack}-{account.place()}"
    stores = account.ask("cloudfront", "list_key_value_stores")["KeyValueStoreList"].get("Items", ())
    if name in {str(each["Name"]) for each in stores}:
        raise Trouble("edge_store", f"CloudFront's key value store {name} of an earlier one")
    step.detail = "nothing of an earlier one is in the way"


def key(account: Account, plan: Plan, step: Result) -> None:
    """The Gemini key, where `mint` will read it."""
    _secure_string(account, plan.settings["GeminiKeyParameter"], step)


def secret(account: Account, plan: Plan, step: Result) -> None:
    """The secret of users' tokens that the operator brings."""
    _secure_string(account, plan.settings["JwtSecretParameter"], step)


def _secure_string(account: Account, name: str, step: Result) -> None:
    found = account.find("ParameterNotFound", "ssm", "get_parameter", Name=name, WithDecryption=True)
    if found is None:
        raise Trouble("missing", f"there is no {name} in this region")
    value, kind = str(found["Parameter"]["Value"]), str(found["Parameter"]["Type"])
    if kind != "SecureString":
        raise Trouble("not_secure", f"{name} is a {kind}")
    if not value.strip() or value != value.strip():
        raise Trouble("blank", f"{name} is empty, or has blanks around it")
    step.detail = f"{name} is there"


def domain(account: Account, plan: Plan, step: Result) -> None:
    """The certificate for the name that is set."""
    name, arn = plan.settings["MediaDomain"], plan.settings["MediaCertificateArn"]
    if not (name and arn):
        raise Trouble("half", "MediaDomain and MediaCertificateArn go together")
    asked = {"region": CERTIFICATES, "CertificateArn": arn}
    found = account.find("ResourceNotFoundException", "acm", "describe_certificate", **asked)
    if found is None:
        raise Trouble("no_certificate", "there is no such certificate in us-east-1")
    certificate = found["Certificate"]
    if certificate["Status"] != "ISSUED":
        raise Trouble("not_issued", f"the certificate is {certificate['Status']}")
    names = {certificate["DomainName"], *certificate.get("SubjectAlternativeNames", ())}
    if not names & {name, f"*.{name.partition('.')[2]}"}:
        raise Trouble("other_name", f"the certificate is for {', '.join(sorted(names))}")
    step.detail = f"the certificate is good for {name}"


def ecs_role(account: Account, plan: Plan, step: Result) -> None:
    """ECS's role, which a first cluster makes, and a first task needs."""
    if account.find("NoSuchEntity", "iam", "get_role", RoleName="AWSServiceRoleForECS") is None:
        raise Note("no_role", "this account never used ECS")
    step.detail = "ECS has its role"


def cloudfront(account: Account, plan: Plan, step: Result) -> None:
    """No call tells whether the account may make distributions; one that has some may."""
    answer = account.ask("cloudfront", "list_distributions", MaxItems="1")
    if not answer["DistributionList"].get("Quantity"):
        raise Note("never_used", "this account has no distribution yet")
    step.detail = "this account makes distributions"


def vcpu(account: Account, plan: Plan, step: Result) -> None:
    """Fargate's quota."""
    quota = _quota(account, "fargate", VCPU_QUOTA)
    fit = int(quota / plan.vcpu)
    if fit < NEEDED_RELAYS + int(plan.settings["WarmRelays"]):
        raise Trouble("few", f"{quota:g} Fargate vCPUs: {fit} relays of {plan.vcpu:g}")
    calls = min(fit, plan.relays) * int(plan.settings["RelayCapacity"])
    step.detail = f"{quota:g} Fargate vCPUs: {min(fit, plan.relays)} relays, {calls:,} calls"


def microvms(account: Account, plan: Plan, step: Result) -> None:
    """Lambda's quota of MicroVMs: memory of all of them, asleep or awake. By name: its code was not found."""
    region, needed = account.place(), NEEDED_RELAYS + int(plan.settings["SleepingRelays"])
    if region not in MICROVM_REGIONS:
        if plan.settings["RelayHomes"] == "microvm":
            raise Trouble("nowhere", f"{region} has no MicroVMs, and relays are to live in nothing else")
        raise Note("no_region", f"{region} has no MicroVMs: relays live in tasks")
    limits = [
        float(quota["Value"]) for quota in _lambda_quotas(account) if _MEMORY.search(quota["QuotaName"])
    ]
    if not limits:
        raise Note("unknown", "Service Quotas names no memory of MicroVMs")
    fit = int(min(limits) / MICROVM_GB)
    if fit < needed:
        raise Trouble("few", f"{min(limits):g} GB of MicroVMs: {fit} relays, and {needed} are needed")
    calls = fit * int(plan.settings["MicrovmCapacity"])
    step.detail = f"{min(limits):g} GB of MicroVMs: {fit} relays, {calls:,} calls"


def _lambda_quotas(account: Account) -> Iterator[Mapping[str, Any]]:
    following: dict[str, str] = {}
    while True:
        asked = {"ServiceCode": "lambda", **following}
        answer = account.ask("service-quotas", "list_service_quotas", **asked)
        yield from answer["Quotas"]
        if not answer.get("NextToken"):
            return
        following = {"NextToken": answer["NextToken"]}


def functions(account: Account, plan: Plan, step: Result) -> None:
    """Lambda's concurrent executions, of the whole account in this region."""
    limit = int(account.ask("lambda", "get_account_settings")["AccountLimit"]["ConcurrentExecutions"])
    if limit < FEW_FUNCTIONS:
        raise Note("few", f"{limit} functions at a time: {limit // 3} callers may start at once")
    step.detail = f"{limit:,} functions at a time"


def vpc(account: Account, plan: Plan, step: Result, is_there: bool) -> None:
    """Room for one more, or the one that is given; and for CloudFront's addresses in a security group."""
    if plan.settings["VpcId"] or plan.settings["SubnetIds"]:
        _given_vpc(account, plan, step)
    elif not is_there:
        used, most = len(account.ask("ec2", "describe_vpcs")["Vpcs"]), _quota(account, "vpc", VPC_QUOTA)
        if used >= most:
            raise Trouble("full", f"{used} of {most:g} VPCs are in use")
        step.detail = f"{used} of {most:g} VPCs are in use; "
    rules = _quota(account, "vpc", RULE_QUOTA)
    if rules < PREFIX_LIST_RULES:
        raise Trouble("few_rules", f"a security group may have {rules:g} rules")
    step.detail += f"{rules:g} rules in a security group"


def _given_vpc(account: Account, plan: Plan, step: Result) -> None:
    """DNS hostnames, because the edge dials a task by its public name; and subnets of two zones."""
    name, given = plan.settings["VpcId"], plan.settings["SubnetIds"].split(",")
    if not (name and all(given)):
        raise Trouble("half", "VpcId and SubnetIds go together")
    asked = {"VpcId": name, "Attribute": "enableDnsHostnames"}
    found = account.find("InvalidVpcID.NotFound", "ec2", "describe_vpc_attribute", **asked)
    if found is None:
        raise Trouble("no_vpc", f"there is no {name} in this region")
    if not found["EnableDnsHostnames"]["Value"]:
        raise Trouble("no_hostnames", f"{name} gives no DNS hostnames")
    filters = [{"Name": "vpc-id", "Values": [name]}, {"Name": "subnet-id", "Values": given}]
    subnets = account.ask("ec2", "describe_subnets", Filters=filters)["Subnets"]
    if len(subnets) < len(given):
        raise Trouble("other_subnets", f"{name} has {len(subnets)} of the {len(given)} subnets")
    if len({each["AvailabilityZone"] for each in subnets}) < NEEDED_ZONES:
        raise Trouble("one_zone", "the subnets are all in one zone")
    step.detail = f"{name} with {len(subnets)} subnets; "


def _quota(account: Account, service: str, code: str) -> float:
    """The account's own value, or AWS's default where it has none."""
    asked = {"ServiceCode": service, "QuotaCode": code}
    found = account.find("NoSuchResourceException", "service-quotas", "get_service_quota", **asked)
    if found is None:
        found = account.ask("service-quotas", "get_aws_default_service_quota", **asked)
    return float(found["Quota"]["Value"])
