"""The records' protocols in all interleavings, and faults that must be found. `make races` explores more."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.races import protocols
from tests.races.explorer import Protocol, explore
from tests.races.planted import FAULTS, Fault


@pytest.mark.parametrize("made", protocols.SMALL, ids=lambda made: made.__name__)
def test_no_interleaving_breaks_what_must_hold(made: Callable[[], Protocol]) -> None:
    report = explore(made())
    told = "\n".join(f"{wrong}\n  " + "\n  ".join(way) for wrong, way in report.violations.items())
    assert not report.violations, told
    assert report.is_whole
    assert report.interleavings > report.ends > 0


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found(fault: Fault) -> None:
    report = fault.explored()
    assert any(fault.shows in wrong for wrong in report.violations), report.violations
