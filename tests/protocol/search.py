"""How long the property tests search: a few hundred cases, always the same; random ones when asked for.

SEARCH=20000 pytest tests/protocol
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_ASKED = int(os.environ.get("SEARCH", "0"))


def searched(examples: int) -> settings:
    return settings(
        max_examples=_ASKED or examples,
        derandomize=not _ASKED,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
