"""Times float and 8 bits in turns, so that whatever slows the machine meets both alike."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from parvis_contract.card import Speed


def measure_speed(float_model: onnxruntime.InferenceSession, int8_model: onnxruntime.InferenceSession, feed: NDArray[np.float32]) -> Speed:
    """Times one inference on one core.

    The processor's time of this thread is taken, so that another program on the core does not count. Runs are counted so that it takes
    some seconds.

    Args:
        float_model: Session on one thread.
        int8_model: Session on one thread.
        feed: For the only input of both.
    """
    name = float_model.get_inputs()[0].name
    runs: list[Callable[[], object]] = [lambda: float_model.run(None, {name: feed}), lambda: int8_model.run(None, {name: feed})]
    first_s = [_seconds(run) for run in runs for _ in range(3)]
    rounds = max(40, min(500, round(4.0 / sum(first_s) * 3)))
    took_s: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for took, run in zip(took_s, runs, strict=True):
            took.append(_seconds(run))
    float_ms, int8_ms = (statistics.median(took) * 1e3 for took in took_s)
    return Speed(
        machine=f"{processor()}, one core",
        runtime=f"onnxruntime {onnxruntime.__version__}, one thread, medians of {rounds} runs in turns",
        float_ms=round(float_ms, 3),
        int8_ms=round(int8_ms, 3),
        ratio=round(float_ms / int8_ms, 2),
    )


def _seconds(run: Callable[[], object]) -> float:
    begun = time.thread_time()
    run()
    return time.thread_time() - begun


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Of this machine, as it calls itself, with the instructions that matter for 8 bits."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = fields.get("model name") or fields.get("Model") or platform.processor() or platform.machine()
    known = {"avx512_vnni": "AVX-512 VNNI", "avx_vnni": "AVX VNNI", "asimddp": "dot product"}
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    has = [text for flag, text in known.items() if flag in flags]
    return f"{name} ({platform.machine()}{', with ' + has[0] if has else ''})"
