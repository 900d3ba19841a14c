"""`make races`: every protocol, also the large ones, from every world to rest; and every planted fault.

Prints a table. Exit status 1 for a violation, or for a fault that was not found.
"""

from __future__ import annotations

import os
import sys
import time

from tests.races import protocols
from tests.races.explorer import explore
from tests.races.planted import FAULTS

LIMIT_S = float(os.environ.get("RACES_S", "60"))  #: CPU time of each protocol


def main() -> int:
    print(f"{'protocol':34}{'states':>10}{'worlds':>8}{'ends':>6}{'interleavings':>15}{'wrong':>7}{'s':>6}")
    has_failed = False
    for made in protocols.ALL:
        protocol, began = made(), time.process_time()
        report = explore(protocol, stop_at=99, rest_everywhere=True, limit_s=LIMIT_S)
        ways = f"{report.interleavings:.3g}" if report.is_whole else "not all"
        print(
            f"{report.protocol:34}{report.states:>10}{report.worlds:>8}{report.ends:>6}{ways:>15}"
            f"{len(report.violations):>7}{time.process_time() - began:>6.0f}",
            flush=True,
        )
        for wrong, way in report.violations.items():
            has_failed = True
            print(f"  WRONG: {wrong}\n    " + "\n    ".join(way))
    print()
    for fault in FAULTS:
        report = fault.explored()
        is_found = any(fault.shows in wrong for wrong in report.violations)
        has_failed |= not is_found
        print(
            f"{'found' if is_found else 'NOT FOUND'} after {report.states} states: {fault.name}", flush=True
        )
    return int(has_failed)


if __name__ == "__main__":
    sys.exit(main())
