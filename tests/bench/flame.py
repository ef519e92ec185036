"""Draws where a camera's processor time goes: `python -m tests.bench.flame docs/flame.svg` samples the sense on every clip.

A timer of the process's own processor time looks at the stack; each look is given the time since the one before, so that a long call
into a library counts in full. Drawn from the top down: a function under the one that called it, as wide as its share of the time.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Self
from xml.sax.saxutils import escape

import cv2
from parvis_contract import EVENT_TYPES
from parvis_edge.analysers.camera import CameraSense
from parvis_edge.bundle import load_bundle

from tests.bench import vision_bench

EVERY_S = 0.001
WIDTH, ROW, LETTER = 1200, 19, 6.6
#: Narrower than this share of the whole is left out.
LEAST_SHARE = 0.002
#: Our own code, by room; what is below is a library's.
COLOURS = {"parvis_edge.vision": "#f0b27a", "parvis_edge.analysers": "#a9cce3", "parvis_edge": "#d5dbdb", "": "#e6b0aa"}


@dataclass(slots=True)
class Node:
    """A function where it was called from.

    Attributes:
        name: Module and function.
        spent_s: In it and in what it called.
        below: What it called, by name.
    """

    name: str
    spent_s: float = 0.0
    below: dict[str, Node] = field(default_factory=dict)

    def add(self, stack: list[str], spent_s: float) -> None:
        """Counts one look."""
        self.spent_s += spent_s
        if stack:
            self.below.setdefault(stack[0], Node(stack[0])).add(stack[1:], spent_s)


class Sampler:
    """Looks at the stack below :meth:`CameraSense.process` while it is on."""

    def __init__(self) -> None:
        self.root = Node("a camera's sense")
        self._last_s = 0.0

    def __enter__(self) -> Self:
        self._last_s = time.process_time()
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0.0)

    def _look(self, _: int, frame: FrameType | None) -> None:
        if frame is not None and frame.f_globals.get("__name__") == __name__:
            return  # The timer has come again while it was being looked.
        now_s = time.process_time()
        stack: list[str] = []
        while frame is not None and frame.f_code is not CameraSense.process.__code__:
            stack.append(f"{frame.f_globals.get('__name__', '')}.{frame.f_code.co_qualname}")
            frame = frame.f_back
        if frame is not None:
            self.root.add(stack[::-1], now_s - self._last_s)
        self._last_s = now_s


def drawn(root: Node) -> str:
    """The picture, as SVG."""
    rows = list(_boxes(root, 0.0, 0, root.spent_s * LEAST_SHARE))
    scale, depth = WIDTH / root.spent_s, 1 + max(row for _, row, _ in rows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {depth * ROW}" font-family="monospace" font-size="11">',
        "<style>rect{stroke:#fff}</style>",
    ]
    for node, row, from_s in rows:
        x, width, y = from_s * scale, node.spent_s * scale, row * ROW
        colour = next(colour for room, colour in COLOURS.items() if node.name.startswith(room))
        short = ".".join(node.name.split(".")[-2:]).replace("<locals>.", "")
        shown = short[: int(width / LETTER)] if width > 4 * LETTER else ""
        lines.append(
            f'<g><title>{escape(node.name)}: {100 * node.spent_s / root.spent_s:.1f} %</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}"'
            f' height="{ROW}" fill="{colour}"/><text x="{x + 3:.1f}" y="{y + 13}">{escape(shown)}</text></g>'
        )
    return "\n".join([*lines, "</svg>", ""])


def _boxes(node: Node, from_s: float, row: int, least_s: float) -> Iterator[tuple[Node, int, float]]:
    yield node, row, from_s
    for below in sorted(node.below.values(), key=lambda each: -each.spent_s):
        if below.spent_s >= least_s:
            yield from _boxes(below, from_s, row + 1, least_s)
        from_s += below.spent_s


def main(target: Path) -> None:
    """Samples and draws."""
    cv2.setNumThreads(1)
    bundle = load_bundle("nanodet-g-416", threads=1)
    sampler = Sampler()
    for clip in vision_bench.clips():
        coming = vision_bench.frames(clip)
        first = next(coming)
        height, width = first.image.shape[:2]
        sense = CameraSense(vision_bench.site(width, height), "u1", frozenset({*EVENT_TYPES, "flow.count"}), bundle)
        sense.process(first)
        for frame in coming:
            with sampler:
                sense.process(frame)
    target.write_text(drawn(sampler.root), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
