"""The judge of misled callers sees one."""

from __future__ import annotations

import time

from records.routes import sign_route
from tests.survival.tap import Tap

KEY = b"a route key"


def ready(relay: str) -> dict[str, object]:
    path = sign_route(KEY, "0", relay, int(time.time()) + 60)
    return {"type": "ready", "session": "s1", "media": {"url": f"wss://media.example{path}"}}


def resume(*, media_failed: bool) -> dict[str, object]:
    return {"type": "resume", "session": "s1", "media_failed": media_failed}


def test_a_client_that_is_led_to_a_relay_it_reported_is_counted() -> None:
    tap = Tap(KEY)
    for message in (
        ready("10.0.0.1:80"),
        resume(media_failed=True),
        ready("10.0.0.2:80"),
        resume(media_failed=False),
        ready("10.0.0.2:80"),
    ):
        tap.heed(message)
    assert (tap.misled, tap.reports, tap.relay_of("s1")) == ([], {"s1": ["10.0.0.1:80"]}, "10.0.0.2:80")
    tap.heed(ready("10.0.0.1:80"))
    assert tap.misled == [("s1", "10.0.0.1:80")]
