"""The steps of `doctor --before`. None depends on another but on credentials: all findings are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from cli.doctor.before import looks
from cli.doctor.before.account import Account, MayNotAsk, Refused
from cli.doctor.before.looks import Plan
from cli.doctor.before.machine import Machine
from cli.doctor.steps import Checkup, Result, Stopped, Trouble
from infra.deploy import settings

STEPS = (
    "python",
    "sam",
    "settings",
    "identity",
    "stack",
    "leftovers",
    "key",
    "secret",
    "domain",
    "ecs role",
    "cloudfront",
    "vcpu",
    "microvms",
    "functions",
    "vpc",
)

Look = Callable[[Result], object]


def examine(checkup: Checkup, machine: Machine, account: Account, stack: str, file: Path) -> None:
    """Run every step that can be run."""
    _run(checkup, "python", machine.python)
    _run(checkup, "sam", machine.sam)
    given = _read_settings(checkup, file)
    if not _run(checkup, "identity", partial(looks.identity, account)):
        return
    plan = Plan(stack, settings.defaults() | given)
    seen: list[bool] = []  # whether the stack is there
    _run(checkup, "stack", lambda step: seen.append(looks.stack(account, plan, step)))
    _look(checkup, account, plan, is_there=seen != [False])


def _look(checkup: Checkup, account: Account, plan: Plan, is_there: bool) -> None:
    is_named = plan.settings["MediaDomain"] or plan.settings["MediaCertificateArn"]
    alone = "relays live in MicroVMs alone" if plan.settings["RelayHomes"] == "microvm" else ""
    reasons: Mapping[str, str] = {
        **dict.fromkeys(("ecs role", "cloudfront", "vcpu", "vpc"), alone),
        "leftovers": "the stack is there" if is_there else "",
        "key": "VertexProject needs no key" if plan.settings["VertexProject"] else "",
        "secret": "" if _brings_secret(plan) else "the deployment makes one, or an issuer signs",
        "domain": "" if is_named else "none is set",
        "microvms": "relays live in tasks" if plan.settings["RelayHomes"] == "fargate" else "",
    }
    steps: Mapping[str, Look] = {
        "leftovers": partial(looks.leftovers, account, plan),
        "key": partial(looks.key, account, plan),
        "secret": partial(looks.secret, account, plan),
        "domain": partial(looks.domain, account, plan),
        "ecs role": partial(looks.ecs_role, account, plan),
        "cloudfront": partial(looks.cloudfront, account, plan),
        "vcpu": partial(looks.vcpu, account, plan),
        "microvms": partial(looks.microvms, account, plan),
        "functions": partial(looks.functions, account, plan),
        "vpc": partial(looks.vpc, account, plan, is_there=is_there),
    }
    for name, look in steps.items():
        if why := reasons.get(name):
            checkup.leave_out(name, why)
        else:
            _run(checkup, name, look)


def _brings_secret(plan: Plan) -> bool:
    return bool(plan.settings["JwtSecretParameter"]) and not plan.settings["OidcIssuer"]


def _read_settings(checkup: Checkup, file: Path) -> dict[str, str]:
    """What is set and has no mistake."""
    given: dict[str, str] = {}

    def look(step: Result) -> None:
        try:
            given.update(settings.read(file) if file.exists() else {})
        except settings.SettingsError as error:
            raise Trouble("mistake", str(error)) from None
        if wrong := list(settings.mistakes(given)):
            given.clear()
            raise Trouble("mistake", "; ".join(wrong))
        step.detail = f"{len(given)} set in {file.name}"

    _run(checkup, "settings", look)
    return given


def _run(checkup: Checkup, name: str, look: Look) -> bool:
    """Whether the step is well, or at most noted."""
    with suppress(Stopped), checkup.step(name) as step:
        step.ms = None
        try:
            look(step)
        except MayNotAsk as refused:
            step.state, step.detail = "left out", f"these credentials may not ask ({refused.code})"
        except Refused as refused:
            raise Trouble("unreachable", f"AWS: {refused.code}") from None
        return True
    return False
