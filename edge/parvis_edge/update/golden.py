"""Golden samples: inputs and what the model must answer. Run on the unit's own processor, in a process of its own, before a model is used.

`python -m parvis_edge.update.golden FOLDER` exits with 0 if the bundle in FOLDER answers as its card promises, with 1 and a line of why
otherwise. A model that crashes the runtime crashes that process, and no unit.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from parvis_contract import CommandRefusal

from parvis_edge.bundle import Bundle, BundleError, load_folder

from .errors import UpdateError

#: A run takes a second on a Raspberry Pi 4, and loading some; a unit that is busy needs more. Longer, and the model hangs.
PATIENCE_S = 120.0


def prove(folder: Path, patience_s: float = PATIENCE_S) -> None:
    """Lets a bundle show that it answers rightly here.

    Raises:
        UpdateError: It does not, crashes, or takes longer than ``patience_s``.
    """
    command = [sys.executable, "-m", "parvis_edge.update.golden", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience_s, check=False)
    except subprocess.TimeoutExpired:
        raise _failed(f"no answer within {patience_s:g} s") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        crash = f"it ended with signal {-done.returncode}" if done.returncode < 0 else (said[-1] if said else f"exit {done.returncode}")
        raise _failed(crash)


def _failed(why: str) -> UpdateError:
    return UpdateError(CommandRefusal.NOT_SUPPORTED, f"the model fails its golden samples on this unit: {why}")


def difference(bundle: Bundle, raw: bytes) -> dict[str, float]:
    """How far a model's answers are from those that were kept.

    Args:
        bundle: It.
        raw: The golden file: a NumPy archive with ``input``, and for each output tensor ``NAME.at`` (flat positions, int32) and ``NAME.is``
            (float32, what stands there).

    Returns:
        By output tensor: the largest absolute difference, in the tensor's own unit; infinite where an answer is no number.
    """
    with np.load(io.BytesIO(raw), allow_pickle=False) as golden:
        names = [each.name for each in bundle.session.get_outputs()]
        answers = bundle.session.run(names, {bundle.card.input.name: golden["input"].astype(np.float32)})
        return {name: _apart(answer, golden[f"{name}.at"], golden[f"{name}.is"]) for name, answer in zip(names, answers, strict=True)}


def _apart(answer: npt.NDArray[np.float32], at: npt.NDArray[np.int32], expected: npt.NDArray[np.float32]) -> float:
    apart = np.abs(answer.ravel()[at] - expected)
    return float(apart.max()) if np.isfinite(answer).all() else float("inf")


def check(folder: Path) -> str | None:
    """Why a bundle does not answer as its card promises; None if it does.

    Raises:
        BundleError: It cannot be loaded.
        OSError, ValueError, KeyError: Its golden samples cannot be read.
    """
    bundle = load_folder(folder)
    golden = bundle.card.golden
    if golden is None:
        return "its card names no golden samples; `parvis-models golden` makes them"
    raw = (folder / golden.file).read_bytes()
    if hashlib.sha256(raw).hexdigest() != golden.sha256:
        return f"{golden.file} is not the file that card.json describes"
    apart = difference(bundle, raw)
    if set(apart) != set(golden.tolerances):
        return "the card's tolerances are for other outputs than the model's"
    wrong = [f"{name} differs by {value:.3g}, at most {golden.tolerances[name]:g}" for name, value in apart.items()
             if not value <= golden.tolerances[name]]  # fmt: skip
    return "; ".join(wrong) or None


def main(arguments: list[str]) -> int:
    """Checks the bundle in the folder that is given."""
    try:
        why = check(Path(arguments[0]))
    except (BundleError, OSError, ValueError, KeyError) as error:
        why = str(error).splitlines()[0]
    except Exception as error:  # noqa: BLE001 - whatever the runtime finds wrong with a model, its own words say it best
        why = f"{type(error).__name__}: {error}".splitlines()[0]
    if why is not None:
        sys.stderr.write(f"{why}\n")
    return 0 if why is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
