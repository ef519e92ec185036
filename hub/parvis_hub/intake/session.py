"""The name of the hub's session at the broker, which nobody else knows."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from parvis_hub.whole_file import replace


def session_name(data_dir: Path) -> str:
    """The same at every start; made at the first.

    Whoever is let in may take over a session by its name, and mosquitto then forgets what waits in it: a stolen unit that guessed the
    hub's would lose what all others have sent while the hub was away.

    Args:
        data_dir: The hub's folder; the name is in the file ``session`` there, for its user alone.

    Raises:
        OSError: It cannot be read or written.
    """
    path = data_dir / "session"
    try:
        if re.fullmatch("parvis-hub-[0-9a-f]{32}", name := path.read_text(encoding="ascii", errors="replace").strip()):
            return name
    except FileNotFoundError:
        data_dir.mkdir(parents=True, exist_ok=True)
    name = f"parvis-hub-{secrets.token_hex(16)}"
    replace(path, f"{name}\n".encode(), 0o600)
    return name
