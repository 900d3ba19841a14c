"""The edge function: the same verdicts as records/routes.py, and nothing unsigned chooses an address."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.local.edge import CONNECT_S
from records.keyring import Keyring
from records.routes import read_route_of_any

ROOT = Path(__file__).resolve().parents[2]
EDGE = ROOT / "infra" / "edge"
SOURCE = EDGE / "route.js"
VECTORS: list[dict[str, Any]] = json.loads((EDGE / "vectors.json").read_text())["vectors"]
ORIGIN = "origin-secret"

#: CloudFront Functions: the code, its keys and its answers may not be larger (AWS, "Restrictions")
MOST_BYTES = 10_240
VALUE_BYTES = 1024


def store(keys: dict[str, Any]) -> dict[str, str]:
    return {"keys": json.dumps({"route": keys, "origin": ORIGIN})}


def at_the_edge(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What route.js does, in Node, with what CloudFront offers and no more."""
    node = ["node", "--no-warnings", "--experimental-vm-modules", ROOT / "tests/infra/edge/run.mjs", SOURCE]
    ran = subprocess.run(node, input=json.dumps(cases), capture_output=True, text=True, check=True)
    answers: list[dict[str, Any]] = json.loads(ran.stdout)["answers"]
    return answers


def case(vector: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"path": vector["path"], "now": vector["now"], "store": store(vector["keys"]), **more}


def as_address(origin: dict[str, Any] | None) -> str | None:
    return None if origin is None else f"{origin['domainName']}:{origin['customOriginConfig']['port']}"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["description"]))
def test_python_gives_the_verdict_of_the_vector(vector: dict[str, Any]) -> None:
    keys = [key.encode() for key in Keyring(**vector["keys"]).accepted(vector["now"])]
    try:
        address = read_route_of_any(keys, vector["path"], vector["now"])
    except ValueError as refused:
        assert str(refused) == "route", "a refusal that says why helps who guesses"
        address = None
    assert address == vector["address"]


def test_the_edge_gives_the_verdict_of_every_vector() -> None:
    for vector, answer in zip(VECTORS, at_the_edge([case(each) for each in VECTORS]), strict=True):
        refused = vector["address"] is None
        assert answer["status"] == (403 if refused else 0), vector["description"]
        if vector["address"] != "alb:8080":  # there the origin stays as it is
            assert as_address(answer["origin"]) == vector["address"], vector["description"]
        else:
            assert answer["origin"] is None


def test_the_origin_is_dialled_by_plain_http_and_gets_the_secret() -> None:
    (answer,) = at_the_edge([case(VECTORS[0])])
    assert answer["origin"]["customOriginConfig"] == {
        "port": 8080,
        "protocol": "http",
        "sslProtocols": ["TLSv1.2"],
    }
    assert answer["origin"]["customHeaders"] == {"x-vivavoce-edge": ORIGIN}


def test_a_dead_address_is_tried_once_and_not_for_long() -> None:
    """A released address answers nothing. CloudFront would try three times for ten seconds each; it takes one
    to three attempts and one to ten seconds (AWS, "Helper methods for origin modification")."""
    (answer,) = at_the_edge([case(VECTORS[0])])
    assert answer["origin"]["connectionAttempts"] == 1
    assert answer["origin"]["timeouts"] == {"connectionTimeout": CONNECT_S}, "as the local edge"


def test_no_header_of_the_client_chooses_an_address_or_poses_as_the_edge() -> None:
    headers = {
        name: {"value": "evil.example:1"}
        for name in ("host", "x-forwarded-host", "origin", "x-vivavoce-edge", "x-origin", "forwarded")
    }
    (good,) = [vector for vector in VECTORS if vector["description"] == "a route of the current key"]
    forged = {**good, "path": "/r/3/a.b"}
    passed, refused = at_the_edge([case(good, headers=headers), case(forged, headers=headers)])
    assert as_address(passed["origin"]) == good["address"]
    assert "x-vivavoce-edge" not in passed["headers"]
    assert (refused["status"], refused["origin"]) == (403, None)


def test_before_the_keys_are_written_everything_is_refused() -> None:
    without = [{**case(VECTORS[0]), "store": None}, {**case(VECTORS[0]), "store": {}}]
    assert [answer["status"] for answer in at_the_edge(without)] == [403, 403]


def test_a_refusal_is_not_kept_by_any_cache() -> None:
    (answer,) = at_the_edge([{**case(VECTORS[0]), "path": "/"}])
    assert answer["headers"] == {"cache-control": {"value": "no-store"}}


def test_function_and_keys_fit_cloudfronts_limits() -> None:
    assert len(SOURCE.read_bytes()) < MOST_BYTES
    ring = {"current": "k" * 43, "previous": "k" * 43, "until": 10**11}
    assert len(json.dumps({"route": ring, "origin": "k" * 43})) < VALUE_BYTES


@pytest.mark.parametrize(
    ("sabotage", "what"),
    [
        (("if (!path || !isSigned", "if (!path || false && !isSigned"), "the signature"),
        (("Number(found[3]) <= now", "false"), "the expiry"),
        (("now < keys.until &&", ""), "the end of the key before"),
        (("path[1] + '/' + path[2]", "path[2]"), "the slot"),
        (("delete request.headers[EDGE_HEADER];", ""), "the client's own edge header"),
        (("return difference === 0;", "return true;"), "the comparison"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_an_edge_that_does_not_check_it_fails_here(
    sabotage: tuple[str, str], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = SOURCE.read_text()
    assert sabotage[0] in text
    broken = tmp_path / "route.js"
    broken.write_text(text.replace(*sabotage))
    monkeypatch.setattr("tests.infra.test_route.SOURCE", broken)
    with pytest.raises(AssertionError):
        test_the_edge_gives_the_verdict_of_every_vector()
        test_no_header_of_the_client_chooses_an_address_or_poses_as_the_edge()


@pytest.mark.skipif(not shutil.which("njs"), reason="njs is not here: apt install njs")
def test_the_engine_that_cloudfront_builds_on_gives_the_verdicts_too(tmp_path: Path) -> None:
    """njs runs the same source; `cloudfront` is a module of the test, time and store are set by it."""
    (tmp_path / "cloudfront").write_text(
        "let told = {now: 0, store: {}, origin: null};\n"
        "function kvs() { return { get: async (key) => JSON.parse(told.store[key]) }; }\n"
        "function updateRequestOrigin(given) { told.origin = given; }\n"
        "export default { kvs, updateRequestOrigin, told };\n"
    )
    cases = json.dumps([case(vector) for vector in VECTORS])
    script = tmp_path / "run.js"
    script.write_text(
        SOURCE.read_text().replace("Date.now()", "(cf.told.now * 1000)")
        + f"const cases = {cases};\n"
        + """
async function all() {
    for (let i = 0; i < cases.length; i++) {
        cf.told.now = cases[i].now;
        cf.told.store = cases[i].store;
        cf.told.origin = null;
        const answer = await handler({ request: { uri: cases[i].path, headers: {} } });
        console.log(answer.statusCode || 0, cf.told.origin ? cf.told.origin.domainName : '-');
    }
}
all();
"""
    )
    ran = subprocess.run(["njs", "-p", tmp_path, script], capture_output=True, text=True, check=True)
    for vector, line in zip(VECTORS, ran.stdout.splitlines(), strict=True):
        host = (vector["address"] or "-").partition(":")[0].replace("alb", "-")
        assert line == f"{403 if vector['address'] is None else 0} {host}", vector["description"]
