"""The hub as installed, which also notes when it fetched, took, understood, kept and told each message; and what is read of its notes.

    python -m tests.bench.hub_staged NOTES run --site … (the rest as `parvis-hub`)

Times are of the machine's monotonic clock, which all processes share. A line of the notes is one batch.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

from parvis_hub.cli import app
from parvis_hub.intake import Broker, Intake
from parvis_hub.service import Hub
from parvis_hub.store import Store

#: What a message goes through, in order; and the last, from the hub's word to whoever hears it.
STAGES = ("to the hub", "until its batch", "read and correlated", "kept", "told", "until heard")


def note(path: Path) -> None:
    """Has every hub of this process write its notes to a file."""
    fetched_s: dict[tuple[int, int] | None, float] = {}
    done_s: dict[str, float] = {}
    file = path.open("w", buffering=1)
    receive, prepare, commit, turn = Broker._receive, Intake.prepare, Store.commit, Hub._turn

    def received(self: Broker, messages: list[Any]) -> None:
        now_s = time.monotonic()
        fetched_s.update({(self.connections, each.number): now_s for each in messages})
        receive(self, messages)

    def prepared(*arguments: Any) -> Any:
        answer = prepare(*arguments)
        done_s["prepared"] = time.monotonic()
        return answer

    def committed(*arguments: Any) -> Any:
        answer = commit(*arguments)
        done_s["kept"] = time.monotonic()
        return answer

    def turned(self: Hub, intake: Intake, deliveries: list[Any]) -> None:
        taken_s = time.monotonic()
        turn(self, intake, deliveries)
        told_s = time.monotonic()
        if deliveries:
            ids = [(json.loads(each.payload)["id"], fetched_s.pop(each.ticket, taken_s)) for each in deliveries]
            file.write(json.dumps([taken_s, done_s["prepared"], done_s["kept"], told_s, ids]) + "\n")

    Broker._receive, Intake.prepare, Store.commit, Hub._turn = received, prepared, committed, turned  # type: ignore[method-assign]


def waited_ms(notes: Path, went_s: dict[str, float], heard_s: dict[str, float]) -> dict[str, tuple[float, ...]]:
    """How long each message was in each stage.

    Args:
        notes: What the hub wrote.
        went_s, heard_s: When each message was published, and when its incident was heard of; by its id.
    """
    waited: dict[str, tuple[float, ...]] = {}
    for line in notes.read_text().splitlines():
        taken_s, prepared_s, kept_s, told_s, ids = json.loads(line)
        for id_, fetched_s in ids:
            if id_ in went_s and id_ in heard_s:
                times_s = (went_s[id_], fetched_s, taken_s, prepared_s, kept_s, told_s, heard_s[id_])
                waited.setdefault(id_, tuple((after - before) * 1e3 for before, after in itertools.pairwise(times_s)))
    return waited


if __name__ == "__main__":
    note(Path(sys.argv.pop(1)))
    app()
