"""Where the hub's own log goes: standard error, for people on a terminal and as JSON for a journal."""

from __future__ import annotations

import logging
import sys

import structlog


def log_to_stderr() -> None:
    """Sets it up; once, by the command."""
    shown = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            shown,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
