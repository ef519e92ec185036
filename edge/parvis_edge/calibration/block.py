"""What a calibration puts into the site plan: a block to paste, or written in its place with everything else left as it stands."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from parvis_contract import ConfigError, load_site
from parvis_contract import GroundPlane as CalibratedPoints


class CannotWrite(Exception):
    """The site plan was not changed; the message says why, and what to do instead."""


def _number(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text


def _point(point: Any) -> str:
    x, y = (_number(each, 2) for each in point.px)
    # A hundred-millionth of a degree is a millimetre.
    return f"{{px: [{x}, {y}], at: {{lon: {_number(point.at.lon, 8)}, lat: {_number(point.at.lat, 8)}}}}}"


def ground_plane_block(plane: CalibratedPoints, indent: int = 4) -> str:
    """``ground_plane:`` as it stands under a unit, with the given indentation; ends without a line break."""
    margin = " " * indent
    width, height = plane.image_size
    lines = [f"{margin}ground_plane:", f"{margin}  image_size: [{width}, {height}]", f"{margin}  points:"]
    return "\n".join([*lines, *(f"{margin}    - {_point(point)}" for point in plane.points)])


def _ground_plane_flow(plane: CalibratedPoints) -> str:
    width, height = plane.image_size
    return f"ground_plane: {{image_size: [{width}, {height}], points: [{', '.join(_point(point) for point in plane.points)}]}}"


def microphone_block(full_scale_db: float, indent: int = 4) -> str:
    """``microphone:`` as it stands under a unit."""
    return f"{' ' * indent}microphone: {{full_scale_db: {_number(full_scale_db, 1)}}}"


def write_ground_plane(path: Path, unit: str, plane: CalibratedPoints) -> None:
    """Puts a ground plane into a site plan, in place of the unit's old one if it has one.

    Every other character of the file stays, comments too. What was written is read again and compared before the file is replaced.

    Raises:
        CannotWrite: The file is written in a way that does not allow it (anchors, for instance), or may not be written.
    """
    _write(path, unit, "ground_plane", lambda indent: ground_plane_block(plane, indent).lstrip(), _ground_plane_flow(plane))


def write_full_scale(path: Path, unit: str, full_scale_db: float) -> None:
    """Puts a microphone's full-scale level into a site plan; otherwise as :func:`write_ground_plane`."""
    text = microphone_block(full_scale_db, 0)
    _write(path, unit, "microphone", lambda _: text, text)


def _write(path: Path, unit: str, key: str, block: Callable[[int], str], flow: str) -> None:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            before = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotWrite(f"{path}: cannot be read ({error}); paste the block yourself") from None
    after = _inserted(before, unit, key, block, flow)
    if after is None or not _only_that_changed(before, after, unit, key, yaml.safe_load(flow)[key]):
        raise CannotWrite(f"{path}: the way in which units.{unit} is written leaves no safe place; paste the block there yourself")
    _replace(path, after)


def _inserted(text: str, unit: str, key: str, block: Callable[[int], str], flow: str) -> str | None:
    newline = "\r\n" if "\r\n" in text else "\n"
    # A byte order mark is no character of the document.
    shift = 1 if text.startswith("\ufeff") else 0
    node = _child(_child(yaml.compose(text, Loader=yaml.SafeLoader), "units"), unit)
    if node is None or not isinstance(node[1], yaml.MappingNode) or not node[1].value:
        return None
    mapping = node[1]
    old = _child(mapping, key)
    if mapping.flow_style:
        if old is not None:
            return text[: old[0].start_mark.index + shift] + flow + text[old[1].end_mark.index + shift :]
        at = mapping.value[-1][1].end_mark.index + shift
        return f"{text[:at]}, {flow}{text[at:]}"
    indent = mapping.value[0][0].start_mark.column
    written = block(indent).replace("\n", newline)
    if old is not None:
        return text[: old[0].start_mark.index + shift] + written + text[_last(old[1]).end_mark.index + shift :]
    end = text.find("\n", _last(mapping).end_mark.index + shift)
    if end < 0:
        return f"{text}{newline}{' ' * indent}{written}{newline}"
    return f"{text[: end + 1]}{' ' * indent}{written}{newline}{text[end + 1 :]}"


def _child(node: Any, key: str) -> tuple[Any, Any] | None:
    """Key and value of a mapping, or of a key's value."""
    mapping = node[1] if isinstance(node, tuple) else node
    if isinstance(mapping, yaml.MappingNode):
        for each, value in mapping.value:
            if isinstance(each, yaml.ScalarNode) and each.value == key:
                return each, value
    return None


def _last(node: Any) -> Any:
    """The node with which a value's text ends; a block's own end lies after the comments that follow it."""
    if isinstance(node, yaml.MappingNode) and node.value and not node.flow_style:
        return _last(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and node.value and not node.flow_style:
        return _last(node.value[-1])
    return node


def _only_that_changed(before: str, after: str, unit: str, key: str, value: Any) -> bool:
    try:
        old, new = yaml.safe_load(before), yaml.safe_load(after)
    except yaml.YAMLError:
        return False
    # Not in place: with an alias it would be the other unit's as well.
    old["units"][unit] = {**old["units"][unit], key: value}
    comments = set(_comments(before)) - set(_comments(after))
    return bool(old == new) and (not comments or key in yaml.safe_load(before)["units"][unit])


def _comments(text: str) -> Iterator[str]:
    return (line.strip() for line in text.splitlines() if line.strip().startswith("#"))


def _replace(path: Path, text: str) -> None:
    """All of it or nothing, with the old file's permissions; a plan that the program cannot read is never left behind."""
    target = path.resolve()
    try:
        mode = target.stat().st_mode
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        new = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            new.chmod(mode & 0o7777)
            _check(new)
            new.replace(target)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise CannotWrite(f"{path}: {error.strerror}; paste the block yourself") from None


def _check(path: Path) -> None:
    try:
        load_site(path)
    except ConfigError as error:
        raise CannotWrite(f"the site plan would not be one any more ({error.problems[0].expected}); paste the block yourself") from None
