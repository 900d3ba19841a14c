"""Python imports this at the start of each relay and function under fault injection."""

import os

import jumping_clock  # type: ignore[import-not-found]

jumping_clock.follow(os.environ["CLOCK_FILE"])
if "MEMORY_PROBE_FOLDER" in os.environ:
    import memory_probe  # type: ignore[import-not-found]

    memory_probe.answer_signals(os.environ["MEMORY_PROBE_FOLDER"])
