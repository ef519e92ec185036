"""The services of a flashed card: ``parvis-card settings|firewall|update|good``. Started by systemd, as root."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from typing import NoReturn

import structlog
from pydantic import ValidationError

from .places import CardError
from .settings import SettingsError

_log = structlog.get_logger()


#: The modules of the verbs. A start waits for each of them, so what another verb needs is not loaded.
_VERBS = {"settings": "network", "firewall": "network", "update": "root", "good": "root"}


def main() -> NoReturn:
    """Runs one verb; 1 if it has to be tried again, 2 for something that a person has to change."""
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
    )
    verb = " ".join(sys.argv[1:])
    if verb not in _VERBS:
        sys.stderr.write(f"usage: parvis-card {'|'.join(_VERBS)}; a card's own services call it\n")
        raise SystemExit(2)
    try:
        getattr(import_module(f".{_VERBS[verb]}", __package__), verb)()
    except (CardError, OSError, ValidationError, subprocess.CalledProcessError) as error:
        _log.error("failed", verb=verb, detail=str(error))
        raise SystemExit(2 if isinstance(error, SettingsError) else 1) from None
    raise SystemExit(0)


if __name__ == "__main__":
    main()
