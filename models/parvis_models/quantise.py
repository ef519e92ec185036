"""From a float graph to 8 bits: static ranges from calibration data, one scale per channel of a weight, quantise-dequantise pairs."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scheme:
    """How a model becomes 8 bits.

    Attributes:
        float_nodes: Names of the nodes that stay in float.
        float_outputs: Kinds of node that take 8 bits and give float.
        percentile: Share of a tensor's calibration values that lie inside its range, in per cent; None takes all of them in.
    """

    float_nodes: tuple[str, ...]
    float_outputs: tuple[str, ...] = ()
    percentile: float | None = None

    @property
    def text(self) -> str:
        """For the card."""
        return (
            "QDQ, static. Activations: unsigned 8 bits, a scale per tensor. Weights: signed, a scale per channel, held to 7 bits of "
            "magnitude and sign together, so that no pair of products overflows 16 bits and every processor gives the same sums."
        )

    @property
    def method_text(self) -> str:
        """For the card."""
        return "smallest and largest value" if self.percentile is None else f"the middle {self.percentile} % of the values"


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, batches: Iterable[Floats]) -> None:
        self._feeds: Iterator[dict[str, Floats]] = iter([{name: batch} for batch in batches])

    def get_next(self) -> dict[str, Floats] | None:
        return next(self._feeds, None)


def quantise(model: onnx.ModelProto, batches: Iterable[Floats], scheme: Scheme) -> bytes:
    """Quantises a model; the same input gives the same bytes.

    Args:
        model: Float, with one input.
        batches: For the input, all of one shape.
        scheme: What stays in float, and how ranges are set.

    Returns:
        The quantised model, serialised.
    """
    names = {node.name for node in model.graph.node}
    unknown = set(scheme.float_nodes) - names
    if unknown:
        raise ValueError(f"the graph has no node {sorted(unknown)}; it is not the one that the scheme was written for")
    options: dict[str, object] = {"OpTypesToExcludeOutputQuantization": list(scheme.float_outputs)}
    if scheme.percentile is not None:
        options["CalibPercentile"] = scheme.percentile
    with tempfile.TemporaryDirectory(prefix="parvis-quantise-") as folder:
        paths = [str(Path(folder) / name) for name in ("float.onnx", "prepared.onnx", "int8.onnx")]
        onnx.save(model, paths[0])
        quant_pre_process(paths[0], paths[1], skip_symbolic_shape=True)
        quantise_static = partial(
            quantize_static,
            paths[1],
            paths[2],
            _Reader(model.graph.input[0].name, batches),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            # 127 × 255 twice overflows the 16 bits in which processors without VNNI add products in pairs; 64 × 255 does not.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax if scheme.percentile is None else CalibrationMethod.Percentile,
            nodes_to_exclude=list(scheme.float_nodes),
            extra_options=options,
        )
        # The library prints as it goes.
        with contextlib.redirect_stdout(io.StringIO()):
            quantise_static()
        quantised = onnx.load(paths[2])
    # Who made it, with which version, is the card's business; here it would only change the checksum.
    quantised.producer_name, quantised.producer_version = "parvis-models", ""
    del quantised.metadata_props[:]
    onnx.checker.check_model(quantised)
    return bytes(quantised.SerializeToString(deterministic=True))
