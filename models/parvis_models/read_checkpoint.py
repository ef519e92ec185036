"""Writes variables of a TensorFlow checkpoint into one `.npz`; run in the converters' environment, never imported here.

Arguments: the checkpoint's prefix, a regular expression with two groups, the `.npz` to write.
"""

import importlib
import re
import sys
from pathlib import Path

import numpy as np


def main(prefix: str, pattern: str, target: str) -> None:
    """Reads the variables whose names match as a whole, each under "first group/second group"."""
    # By name: only the converters' environment has it, and nothing that is checked here may need it.
    reader = importlib.import_module("tensorflow").train.load_checkpoint(prefix)
    matches = [match for name in sorted(reader.get_variable_to_shape_map()) if (match := re.fullmatch(pattern, name))]
    if not matches:
        raise SystemExit(f"{prefix}: no variable matches {pattern}")
    np.savez(Path(target), **{f"{match[1]}/{match[2]}": reader.get_tensor(match[0]) for match in matches})


if __name__ == "__main__":
    main(*sys.argv[1:])
