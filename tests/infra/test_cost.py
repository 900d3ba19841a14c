"""The cost model: nothing for nothing, the model's quadratic bill, and a page that agrees with the code."""

from __future__ import annotations

import json

import pytest

from cli.main import main
from infra.cost.model import (
    HOURS,
    Usage,
    Vms,
    gemini_call,
    minute_elsewhere,
    monthly,
    read_prices,
    relay_hours,
    tokens,
    vm_share,
)
from infra.cost.table import BESIDE, DOC, SETUPS, beside, document, free_of
from protocol.media import Tokens

PRICES = read_prices()


def test_a_few_cents_are_paid_when_nobody_talks_and_for_the_sweep_alone() -> None:
    bill = monthly(Usage(0), "edge", PRICES)
    assert {service for service, dollars in bill.items() if dollars} == {"Sweep", "CloudWatch"}
    assert 0.03 < bill["Sweep"] < 0.05 and bill["CloudWatch"] < 0.03, "what it logs"


def test_metrics_cost_by_the_hour_with_data_above_the_ten_that_are_free() -> None:
    none, few, many = (monthly(Usage(each), "edge", PRICES)["CloudWatch"] for each in (0, 10, 10_000))
    assert none < few < many
    assert few - none < 0.15 and 0.6 < many - none < 4
    more_free = PRICES | {"cloudwatch": PRICES["cloudwatch"] | {"free_metrics": 50}}
    assert monthly(Usage(10_000), "edge", more_free)["CloudWatch"] == pytest.approx(many - 0.6)


def test_the_load_balancer_is_the_only_other_fixed_cost() -> None:
    bill = monthly(Usage(0), "alb", PRICES)
    paid = {service for service, dollars in bill.items() if dollars}
    assert paid == {"Load balancer", "Sweep", "CloudWatch"}
    assert bill["Load balancer"] == pytest.approx(16.43, abs=0.01)


def test_a_five_minute_call_costs_what_was_modelled_elsewhere() -> None:
    # $0.23 for 5 min of 3.8 in 20 s turns (docs/sources.md#prices)
    assert gemini_call(Usage(1), PRICES["gemini"]) == pytest.approx(0.23, abs=0.01)


def test_without_compression_twice_the_call_costs_more_than_three_times() -> None:
    endless = {"trigger_tokens": 10**9}
    short = gemini_call(Usage(1, call_minutes=10, **endless), PRICES["gemini"])
    long = gemini_call(Usage(1, call_minutes=20, **endless), PRICES["gemini"])
    assert long > 3 * short


def test_a_warm_relay_costs_what_the_template_says() -> None:
    none, two = (monthly(Usage(0, warm_relays=each), "edge", PRICES) for each in (0, 2))
    assert (two["Fargate"] - none["Fargate"]) / 2 == pytest.approx(11, abs=0.3)


def test_compression_makes_a_long_call_cheaper() -> None:
    late = gemini_call(Usage(1, call_minutes=30, trigger_tokens=100_000), PRICES["gemini"])
    assert gemini_call(Usage(1, call_minutes=30), PRICES["gemini"]) < late


@pytest.mark.parametrize(
    ("hours", "least", "most"), [(1, 1, 3), (1_000, HOURS, HOURS), (40_000, 2_000, 2_000)]
)
def test_relays_sleep_at_few_hours_and_fill_at_many(hours: float, least: float, most: float) -> None:
    assert least <= relay_hours(Usage(hours)) <= most


def test_the_page_is_what_the_code_writes() -> None:
    assert DOC.read_text("utf-8") == document(), "run `python -m infra.cost.table`"


def test_the_command_prints_a_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--hours", "100"]) == 0
    assert "Gemini" in capsys.readouterr().out
    assert main(["cost", "--hours", "100", "--json", "--ingress", "alb"]) == 0
    assert json.loads(capsys.readouterr().out)["dollars"]["100"]["Load balancer"] > 16


def test_hours_that_are_none_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--hours", "nan"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["cost", "--warm", "-1"]) == 2


def test_warm_relays_may_be_reckoned_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--hours", "0", "--warm", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dollars"]["0"]["Fargate"] > 10


def test_a_sessions_tokens_are_priced_by_their_kind() -> None:
    price = PRICES["gemini"]
    million = 1_000_000
    for field, dollars in {
        "input_text": 0.75,
        "input_audio": 3.0,
        "input_image": 1.0,
        "tool_use": 0.75,
        "output_text": 4.5,
        "output_audio": 12.0,
        "thoughts": 4.5,
        "cached": 0.0,
    }.items():
        total = 0 if field == "cached" else million
        assert tokens(Tokens(**{field: million}, total=total), price) == pytest.approx(dollars), field
    assert tokens(Tokens(input_audio=100, total=1_000_100), price) == pytest.approx(0.7503)


def test_a_microvm_costs_what_was_reckoned_elsewhere_and_nothing_while_there_is_none() -> None:
    assert all(monthly(Usage(hours), "edge", PRICES)["MicroVMs"] == 0 for hours in (0, 10, 10_000))
    price = PRICES["microvm"]
    minute = 60 * (0.25 * price["vcpu_second"] + 0.5 * price["gb_second"])
    assert minute == pytest.approx(0.00053, abs=0.00001)
    idle = monthly(Usage(0, vms=Vms("both")), "edge", PRICES)
    assert idle["MicroVMs"] == pytest.approx(0.08) and idle["Fargate"] == 0, "the snapshot of the image"


def test_a_sleeping_relay_costs_about_what_the_template_says() -> None:
    none, two = (monthly(Usage(0, vms=Vms("both", each)), "edge", PRICES)["MicroVMs"] for each in (0, 2))
    assert (two - none) / 2 == pytest.approx(0.35, abs=0.05)


def test_calls_are_in_microvms_while_one_takes_them_all_and_in_tasks_beyond() -> None:
    assert vm_share(Usage(10_000)) == 0 and vm_share(Usage(10_000, vms=Vms("microvm"))) == 1
    few, many = vm_share(Usage(10, vms=Vms("both"))), vm_share(Usage(10_000, vms=Vms("both")))
    assert few > 0.999 and many < 0.01
    bill = monthly(Usage(10, vms=Vms("both")), "edge", PRICES)
    assert bill["MicroVMs"] > 0.4 and bill["Fargate"] < 0.01 and bill["CloudFront"] < 0.01
    assert monthly(Usage(10_000, vms=Vms("both")), "edge", PRICES)["Fargate"] == pytest.approx(10.8, abs=0.2)


def test_homes_and_sleeping_relays_may_be_reckoned_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--hours", "0", "--home", "both", "--sleeping", "1", "--json"]) == 0
    assert 0.3 < json.loads(capsys.readouterr().out)["dollars"]["0"]["MicroVMs"] < 0.5
    assert main(["cost", "--sleeping", "-1"]) == 2


def test_no_home_has_a_fixed_cost_but_the_sweep_and_the_snapshot_when_no_relay_sleeps() -> None:
    """And of these Lambda's and the logs' free tiers, which do not end, leave a cent and the snapshot."""
    for home, snapshot in (("fargate", 0.0), ("both", 0.08), ("microvm", 0.08)):
        bill = monthly(Usage(0, vms=Vms(home)), "edge", free_of(PRICES))  # type: ignore[arg-type]
        assert bill.pop("MicroVMs") == pytest.approx(snapshot), home
        assert bill.pop("Sweep") == pytest.approx(0.011, abs=0.001), "what it reads of the table"
        assert not any(bill.values()), home


def test_pages_that_are_opened_and_left_cost_what_they_wake() -> None:
    """Functions, once a minute for all; a MicroVM as far as PrepareRelays says."""
    one, three = (monthly(Usage(100, pages=each), "edge", PRICES) for each in (1, 3))
    dearer = {name for name in one if three[name] > one[name]}
    assert dearer == {"API Gateway", "Lambda", "DynamoDB"}
    crowd = [Usage(10_000, pages=each).warm_ups for each in (1, 2, 50)]
    assert crowd[-1] == HOURS * 60, "whoever else connects in that minute wakes nothing"
    of = {
        (prepares, sleeping): monthly(Usage(100, vms=Vms("microvm", sleeping, prepares)), "edge", PRICES)[
            "MicroVMs"
        ]
        for prepares in ("nothing", "sleeping", "microvm")
        for sleeping in (0, 1)
    }
    assert of["nothing", 0] == of["sleeping", 0] < of["microvm", 0], "nothing is launched by default"
    assert of["nothing", 1] < of["sleeping", 1]
    for hours, dollars in ((1, 0.0017), (10_000, 0.0)):  # a fifth of a cent; then one is up anyway
        few, more = (
            monthly(Usage(hours, vms=Vms("microvm", 0, each)), "edge", PRICES)["MicroVMs"]
            for each in ("nothing", "microvm")
        )
        assert (more - few) / Usage(hours).idle_pages == pytest.approx(dollars, abs=0.0002)


def test_the_command_takes_what_is_prepared(capsys: pytest.CaptureFixture[str]) -> None:
    dollars = []
    for prepares in ("sleeping", "microvm"):
        assert main(["cost", "--hours", "10", "--home", "microvm", "--prepare", prepares, "--json"]) == 0
        dollars.append(json.loads(capsys.readouterr().out)["dollars"]["10"]["MicroVMs"])
    assert dollars[0] < dollars[1]
    assert main(["cost", "--pages", "0.5"]) == 2


def test_each_home_stands_beside_what_others_are_paid_at_each_number_of_hours() -> None:
    head, *table = beside(PRICES)
    assert [int(each.removesuffix(" h").replace(",", "")) for each in head[2:]] == list(BESIDE)
    assert len(table) == len(SETUPS) + len(PRICES["others"])
    name, fixed, *minutes = table[0]
    bill = monthly(Usage(1_000), "edge", PRICES)
    assert float(minutes[3]) == pytest.approx((sum(bill.values()) - bill["Gemini"]) / 60_000, abs=5e-6)
    assert bill["CloudWatch"] > 0 and float(fixed) < 0.07, name
    assert [float(each) for each in minutes] == sorted(map(float, minutes), reverse=True), (
        "the more, the less"
    )
    assert table[-1][0] == "Pipecat Cloud" and set(table[-1][2:]) == {"not verified"}


def test_agentcore_is_reckoned_from_its_prices_and_a_use_that_is_said() -> None:
    (other,) = [each for each in PRICES["others"] if "vcpu_hour" in each]
    minute = minute_elsewhere({**other, "gb_out": 0.0}, Usage(0))
    assert minute == pytest.approx(0.00005, abs=0.000005), (
        "as it was reckoned elsewhere, without what is sent"
    )


def test_every_price_of_others_has_its_source_and_its_day() -> None:
    assert all(len(other["source"]) > 30 and str(other["seen"]) >= "2026" for other in PRICES["others"])


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--beside"]) == 0
    told = capsys.readouterr().out
    assert "LiveKit Cloud" in told and "AgentCore" in told
    assert main(["cost", "--beside", "--json", "--hours", "5"]) == 0
    assert json.loads(capsys.readouterr().out)[0] == ["dollars a minute", "fixed, a month", "5 h"]
