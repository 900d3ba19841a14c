"""Which session a log line belongs to: forty calls share one log."""

from __future__ import annotations

import logging
from contextvars import ContextVar

SESSION = ContextVar("session", default="")  #: id of the session whose call the running task belongs to


def name_session(record: logging.LogRecord) -> bool:
    """Put the session's id on a line that does not name it. A filter for handlers; keeps every line."""
    if not hasattr(record, "session_id") and (session := SESSION.get()):
        record.session_id = session
    return True
