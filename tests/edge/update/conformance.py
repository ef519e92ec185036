"""The unit's client behind the command line that the public conformance suite of TUF asks for (tuf-conformance, CLIENT-CLI.md).

`tuf-conformance` runs `init`, `refresh` and `download` with this as its client: `python -m tests.edge.update.conformance`, from the root of
the checkout. Exits with 0, or with 1 and a line of why not.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from urllib.parse import quote

import structlog
from parvis_edge.update.errors import UpdateError
from parvis_edge.update.fetcher import Fetcher
from parvis_edge.update.repository import Repository


def repository_of(metadata_url: str, folder: Path) -> Repository:
    """The unit's own client; the root that it was given is the one that it trusts now."""
    base = metadata_url.rstrip("/").removesuffix("/metadata")
    return Repository(base, folder, (folder / "root.json").read_bytes(), Fetcher(), wait=lambda _: None)


def download(repository: Repository, folder: Path, name: str, into: Path) -> None:
    """What is fetched appears in the folder only when it is whole."""
    fetched = folder / "fetched" / quote(name, "")
    repository.fetch_target(name, fetched)
    destination = into / fetched.name
    if not destination.exists() or destination.read_bytes() != fetched.read_bytes():
        shutil.copyfile(fetched, destination)


def main() -> int:
    """One command."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    parser = argparse.ArgumentParser()
    for option in ("--metadata-dir", "--target-dir"):
        parser.add_argument(option, type=Path)
    for option in ("--metadata-url", "--target-name", "--target-base-url"):
        parser.add_argument(option)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init").add_argument("trusted_root", type=Path)
    commands.add_parser("refresh")
    commands.add_parser("download")
    asked = parser.parse_args()
    try:
        if asked.command == "init":
            shutil.copyfile(asked.trusted_root, asked.metadata_dir / "root.json")
            return 0
        repository = repository_of(asked.metadata_url, asked.metadata_dir)
        repository.refresh()
        if asked.command == "download":
            download(repository, asked.metadata_dir, asked.target_name, asked.target_dir)
    except (UpdateError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
