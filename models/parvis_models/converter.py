"""The converters' own environment: TensorFlow and tf2onnx need versions of numpy and protobuf that nothing else here can live with."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from .fetch import FetchError, Tell, run
from .sources import MODELS_FOLDER

REQUIREMENTS = MODELS_FOLDER / "converter-requirements.txt"
#: The newest Python that TensorFlow 2.15 is made for.
PYTHON = "3.11"
#: Some 1.3 GB have to be fetched and unpacked.
INSTALL_TIMEOUT_S = 1800.0


class Converter:
    """Converts what was fetched into ONNX and numpy, in an environment of its own.

    Args:
        cache: Folder for the environment; made once for each state of the requirements.
        tell: Called with what is being done, for people.
    """

    def __init__(self, cache: Path, tell: Tell = lambda _: None) -> None:
        digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
        self._folder = cache / f"converter-{digest}"
        self._tell = tell

    def graph_model(self, model: Path, work: Path) -> onnx.ModelProto:
        """Converts a TensorFlow.js graph model with tf2onnx.

        Args:
            model: The `.json`; its weights lie beside it.
            work: Folder for the result.

        Raises:
            FetchError: The environment cannot be made, or tf2onnx failed.
        """
        target = work / f"{model.stem}-converted.onnx"
        self._run(["-m", "tf2onnx.convert", "--tfjs", str(model), "--opset", "17", "--output", str(target)], work)
        return onnx.load(target)

    def checkpoint(self, prefix: Path, pattern: str, work: Path) -> dict[str, NDArray[np.float32]]:
        """Reads variables of a TensorFlow checkpoint.

        Args:
            prefix: Path of the checkpoint without `.index`.
            pattern: Regular expression with two groups; a variable whose name it matches as a whole is taken as "first/second".
            work: Folder for the result.

        Raises:
            FetchError: The environment cannot be made, or the checkpoint cannot be read.
        """
        target = work / "checkpoint.npz"
        script = Path(__file__).with_name("read_checkpoint.py")
        self._run([str(script), str(prefix), pattern, str(target)], work)
        with np.load(target) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def _run(self, arguments: list[str], work: Path) -> None:
        python = self._python()
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "0", "PYTHONHASHSEED": "0", "PYTHONNOUSERSITE": "1"}
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        run([str(python), *arguments], work, f"converter {arguments[0]} {arguments[1]}", environment | quiet)

    def _python(self) -> Path:
        python = self._folder / "bin" / "python"
        ready = self._folder / "ready"
        if ready.exists():
            return python
        creator = _find_python()
        self._tell("making the converters' environment: TensorFlow and tf2onnx, once, some minutes")
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        run([creator, "-m", "venv", str(self._folder)], self._folder.parent, "python -m venv (apt install python3-venv)")
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", str(REQUIREMENTS)]
        run([str(python), *install], self._folder, "pip install -r converter-requirements.txt", timeout_s=INSTALL_TIMEOUT_S)
        ready.touch()
        return python


def _find_python() -> str:
    if f"{sys.version_info.major}.{sys.version_info.minor}" == PYTHON:
        return sys.executable
    found = shutil.which(f"python{PYTHON}")
    if found is None:
        raise FetchError(f"the converters need Python {PYTHON}: TensorFlow 2.15 is made for none newer. Install it, and try again")
    return found
