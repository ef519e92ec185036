"""A real PostgreSQL with PostGIS for tests: a cluster of its own in a folder, on a socket there, ended with the tests."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import quote

#: Nothing of a test outlives it, so nothing need be on disk; what was committed outlives the server, which some tests end at once.
_SETTINGS = ("fsync=off", "full_page_writes=off", "listen_addresses=", "max_connections=40")
_TEMPLATE = "with_postgis"


@dataclass
class Postgres:
    """A cluster that runs.

    Attributes:
        programs: Folder of the server's programs.
        folder: Of its socket.
        run: Runs one of the programs as the server's user.
        settings: With which it starts.
    """

    programs: Path
    folder: Path
    run: Callable[..., None]
    settings: str
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def database(self) -> str:
        """A new empty database that has the extension; its URL for SQLAlchemy."""
        name = f"test_{next(self._numbers)}"
        self.sql("postgres", f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return f"postgresql+psycopg://postgres@/{name}?host={quote(str(self.folder), safe='')}"

    def start(self) -> None:
        """Starts the server; returns when it answers."""
        # Its output goes to a file: a pipe would be kept open by the server.
        control = (self.programs / "pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log")
        self.run(*control, "-w", "-t", "60", "-o", self.settings, "start")

    def stop(self) -> None:
        """Ends the server at once; whoever is connected is cut off."""
        self.run(self.programs / "pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop")

    def kill(self) -> None:
        """Ends all of the server's processes at once, as they stand (kill -9); returns when none of them is left."""
        first = int((self.folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
        processes = [first, *map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split())]
        for process in processes:
            os.kill(process, signal.SIGKILL)
        while any(_lives(process) for process in processes):
            time.sleep(0.05)

    def sql(self, database: str, statement: str) -> str:
        """What psql prints for a statement."""
        command = [self.programs / "psql", "-h", self.folder, "-U", "postgres", "-d", database, "-AtqX", "-v", "ON_ERROR_STOP=1"]
        done = subprocess.run([*map(str, command), "-c", statement], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()


def _lives(process: int) -> bool:
    """Whether a process still does something: one that has ended and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def programs() -> Path | None:
    """The newest server on this machine, as Debian installs it; None if there is none with PostGIS."""
    there = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    with_postgis = [path for path in there if Path(f"/usr/share/postgresql/{path.parts[-3]}/extension/postgis.control").exists()]
    return with_postgis[-1].parent if with_postgis else None


@contextmanager
def cluster(programs: Path) -> Iterator[Postgres]:
    """Makes a cluster in a folder of its own and runs it."""
    # Not in pytest's folder, which is closed to the server's user, and whose name is too long for a socket's.
    with tempfile.TemporaryDirectory(prefix="parvis-pg-", ignore_cleanup_errors=True) as name:
        yield from _cluster(programs, Path(name))


def _cluster(programs: Path, folder: Path) -> Iterator[Postgres]:
    as_user: dict[str, object] = {}
    if os.geteuid() == 0:
        # The server refuses to run as root; Debian's package brings a user for it.
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data = folder / "data"

    def run(*command: object) -> None:
        done = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False, cwd=folder, **as_user)  # type: ignore[call-overload]
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")

    run(programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
    settings = " ".join(f"-c {each}" for each in (*_SETTINGS, f"unix_socket_directories={folder}"))
    running = Postgres(programs, folder, run, settings)
    running.start()
    try:
        running.sql("postgres", f"CREATE DATABASE {_TEMPLATE}")
        running.sql(_TEMPLATE, "CREATE EXTENSION postgis")
        yield running
    finally:
        running.stop()
