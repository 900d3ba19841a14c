"""Python imports this before a program that the faults concern."""

import os

import jumping_clock  # type: ignore[import-not-found]

jumping_clock.follow(os.environ["CLOCK_FILE"])
if "SCALES_FOLDER" in os.environ:
    import scales  # type: ignore[import-not-found]

    scales.obey(os.environ["SCALES_FOLDER"])
