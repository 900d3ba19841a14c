"""A deployed stack, as CloudFormation and the stack's own parameters tell of it. Needs AWS credentials."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from cli.failure import Failure

#: What goes wrong on the way to AWS, by the error's code or type: what it means, what to do.
_TROUBLE = {
    "NoCredentialsError": (
        "there are no AWS credentials.",
        "Sign in as for sam deploy (aws configure, or AWS_PROFILE).",
    ),
    "NoRegionError": (
        "no AWS region is set.",
        "Give --region, set AWS_REGION, or name one in ~/.aws/config.",
    ),
    "ProfileNotFound": ("there is no such AWS profile.", "Correct AWS_PROFILE."),
    "AccessDenied": ("these credentials may not do that.", "Use those that deployed the stack."),
    "AccessDeniedException": ("these credentials may not do that.", "Use those that deployed the stack."),
    "ExpiredToken": ("the AWS credentials have expired.", "Sign in again."),
    "ExpiredTokenException": ("the AWS credentials have expired.", "Sign in again."),
    "ValidationError": ("there is no stack of that name in this region.", "Check --stack and --region."),
    "ParameterNotFound": (
        "a secret of the stack is not in SSM.",
        "Make the parameters that docs/deploy.md names, then deploy again.",
    ),
}


@dataclass(frozen=True, slots=True)
class Deployment:
    """Outputs and parameters of one stack. Empty: the stack has no such thing."""

    name: str
    control_url: str
    page_url: str
    table: str
    secret_parameter: str  #: SSM name of the HS256 secret; empty with an issuer
    issuer: str  #: whose published keys verify users' tokens
    audience: str
    region: str | None = field(default=None)  #: None: the shell's own
    key_parameter: str = ""  #: SSM name of the Gemini key

    def secret(self) -> str:
        """The secret that signs users' tokens. Raises Failure: with an issuer there is none."""
        if self.issuer:
            raise Failure(
                f"the stack {self.name} admits tokens of {self.issuer}, and no secret of it could sign one.",
                f"Get a token there, and open {self.page_url or 'your page'}/#token=TOKEN.",
            )
        asked = {"Name": self.secret_parameter, "WithDecryption": True}
        answer = call(self.region, "ssm", "get_parameter", **asked)
        return str(answer["Parameter"]["Value"])

    def gemini_key(self) -> str:
        """The key of the Gemini API, which these credentials must be allowed to read. Raises Failure."""
        asked = {"Name": self.key_parameter, "WithDecryption": True}
        return str(call(self.region, "ssm", "get_parameter", **asked)["Parameter"]["Value"])


def find_deployment(name: str, region: str | None) -> Deployment:
    """The stack of that name. Raises Failure: no credentials, no such stack, not one of ours."""
    (stack,) = call(region, "cloudformation", "describe_stacks", StackName=name)["Stacks"]
    outputs = {each["OutputKey"]: str(each["OutputValue"]) for each in stack.get("Outputs", [])}
    parameters = {each["ParameterKey"]: str(each["ParameterValue"]) for each in stack.get("Parameters", [])}
    if "ControlUrl" not in outputs:
        raise Failure(
            f"the stack {name} is {stack['StackStatus']} and has no ControlUrl.",
            "Is it Vivavoce's, and was it deployed to the end?",
        )
    return Deployment(
        name,
        outputs["ControlUrl"],
        outputs.get("PageUrl", ""),
        outputs.get("TableName", ""),
        parameters.get("JwtSecretParameter") or outputs.get("JwtSecretParameterName", ""),
        parameters.get("OidcIssuer", ""),
        parameters.get("OidcAudience", ""),
        region,
        parameters.get("GeminiKeyParameter", ""),
    )


def stack_status(name: str, region: str | None) -> str:
    """The state of the stack of that name, in CloudFormation's words. Raises Failure."""
    (stack,) = call(region, "cloudformation", "describe_stacks", StackName=name)["Stacks"]
    return str(stack["StackStatus"])


def aws_client(service: str, region: str | None) -> Any:
    """A boto3 client. Without a region it is the shell's: $AWS_REGION, which boto3 alone would not read,
    then what boto3 knows of ($AWS_DEFAULT_REGION, the profile in ~/.aws/config).

    Raises botocore's errors: no region, no such profile.
    """
    import boto3

    return boto3.client(service, region_name=region or os.environ.get("AWS_REGION") or None)


def call(region: str | None, service: str, operation: str, **request: Any) -> Any:
    """Call AWS once. Raises Failure in words of ours: AWS's own may quote names and ids."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return getattr(aws_client(service, region), operation)(**request)
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
    except BotoCoreError as error:
        code = type(error).__name__
    what, advice = _TROUBLE.get(code, (f"AWS answered {code}.", "Check the network and the region."))
    raise Failure(f"{service}: {what}", advice)
