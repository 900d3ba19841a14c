"""Top of every handler: one place that logs, counts and catches.

A failure is logged by type and place, without its text, which may quote a peer's message.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, Metrics

Handler = Callable[[dict[str, Any], Any], Any]

logger = Logger()
metrics = Metrics()


def place_of(error: BaseException) -> dict[str, str]:
    """Type and place of an error, as log fields."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = (
        "" if trace is None else f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
    )
    return {"error_type": type(error).__name__, "where": where}


def guarded(fallback: object) -> Callable[[Handler], Handler]:
    """Wrap a handler so that it never raises: it returns `fallback` when it failed."""

    def wrap(handle: Handler) -> Handler:
        @functools.wraps(handle)
        def handler(event: dict[str, Any], context: Any) -> Any:
            logger.append_keys(request_id=getattr(context, "aws_request_id", ""))
            try:
                return handle(event, context)
            except Exception as error:
                logger.error("handler failed", extra=place_of(error))
                metrics.add_metric("handler_failures", "Count", 1)  # Lambda's own count sees none of them
                return fallback
            finally:
                flush()

        return handler

    return wrap


def make_ready(*makers: Callable[[], object]) -> None:
    """Make at import, in Lambda, what a handler needs: INIT has a whole processor, whatever the memory.

    One that fails is made again by the first request, which then answers for it.
    """
    if "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
        return
    for make in makers:
        try:
            make()
        except Exception as error:
            logger.error("not made ready", extra=place_of(error))


def flush() -> None:
    """Write the metrics of this request, if there are any, as one EMF line."""
    if metrics.metric_set:
        metrics.flush_metrics()
