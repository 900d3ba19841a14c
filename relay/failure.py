"""A failure of ours, as a log may tell it."""

from __future__ import annotations

import traceback


def where(failure: BaseException) -> str:
    """Type and place of a failure. Not its text, which may quote a peer."""
    if isinstance(failure, BaseExceptionGroup):
        return where(failure.exceptions[0])
    frames = traceback.extract_tb(failure.__traceback__)
    path = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-4:]))
    return f"{type(failure).__name__} at {path}"
