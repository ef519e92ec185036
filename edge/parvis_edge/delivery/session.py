"""The name of a unit's connection at the broker, which nobody else knows."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import structlog

from parvis_edge.whole_file import replace_file

_log = structlog.get_logger()


def session_name(path: Path) -> str:
    """The same at every start, so that the broker ends the connection before at once; made at the first.

    Whoever is let in ends the connection that has the name which they give: a stolen unit that could guess the others' names would have
    them all come back again and again.

    Args:
        path: Of the file that it is kept in, for its owner alone. Where it cannot be kept, another name does, and the broker takes a while
            to notice that the connection before is gone.
    """
    try:
        if re.fullmatch("parvis-[0-9a-f]{32}", name := path.read_text(encoding="ascii", errors="replace").strip()):
            return name
    except OSError:
        pass
    name = f"parvis-{secrets.token_hex(16)}"
    try:
        replace_file(path, f"{name}\n".encode())
    except OSError as error:
        _log.warning("the name of the connection cannot be kept; another is taken at the next start", detail=str(error))
    return name
