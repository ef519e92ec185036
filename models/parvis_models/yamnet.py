"""The tagger's float graph: YAMNet's published architecture, built from its weights.

YAMNet (github tensorflow/models, research/audioset/yamnet, Apache-2.0) is MobileNet v1 on a log-mel patch of 0.96 s:
`yamnet.py` lists its layers, `params.py` the batch normalisation's epsilon and the patch. Batch normalisation is folded
into the convolution before it, which changes no result.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

PATCH_FRAMES = 96
MEL_BANDS = 64
CLASSES = 521
OPSET = 17
_EPSILON = 1e-4

# (stride, filters out) of the 13 depthwise separable convolutions, `_YAMNET_LAYER_DEFS` in the published yamnet.py.
_SEPARABLE = (
    (1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), (1, 512),
    (1, 512), (1, 512), (1, 512), (1, 512), (2, 1024), (1, 1024),
)  # fmt: skip

Floats = NDArray[np.float32]


def float_graph(weights: Mapping[str, Floats]) -> onnx.ModelProto:
    """Build the float model.

    Args:
        weights: by layer and name, "0/kernel" … "54/bias", in the order of the layers that have weights: a convolution
            ("kernel" (3, 3, 1, 32)) and its normalisation ("beta", "moving_mean", "moving_variance"), then alternately a
            depthwise ("depthwise_kernel" (3, 3, C, 1)) and a pointwise ("kernel" (1, 1, C, D)) convolution with theirs,
            and the classifier ("kernel" (1024, 521), "bias" (521,)).

    Returns:
        A model with input `patches` (N, 96, 64) float32, ln(mel + 0.001) in time order, and output `scores` (N, 521)
        float32 in [0, 1], one independent probability per AudioSet class.

    Raises:
        KeyError: a weight is missing.
        ValueError: a weight has another shape than the published architecture.
    """
    builder = _Builder(weights)
    builder.nodes.append(helper.make_node("Unsqueeze", ["patches", "channel_axis"], ["image"], "image"))
    builder.constant("channel_axis", np.array([1], np.int64))
    tensor = builder.convolution("image", stride=2, filters=32)
    for stride, filters in _SEPARABLE:
        tensor = builder.convolution(tensor, stride=stride, filters=None)
        tensor = builder.convolution(tensor, stride=1, filters=filters)
    builder.classifier(tensor)
    graph = helper.make_graph(
        builder.nodes,
        "yamnet",
        [helper.make_tensor_value_info("patches", TensorProto.FLOAT, ["N", PATCH_FRAMES, MEL_BANDS])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", CLASSES])],
        builder.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="parvis-models")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


class _Builder:
    """Appends layers in the order of the checkpoint's layers with weights."""

    def __init__(self, weights: Mapping[str, Floats]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._layer = 0

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def convolution(self, tensor: str, *, stride: int, filters: int | None) -> str:
        """Add convolution, folded normalisation and ReLU; `filters=None` is a depthwise one. Returns the output's name."""
        depthwise = filters is None
        kernel = self.weights[f"{self._layer}/{'depthwise_kernel' if depthwise else 'kernel'}"]
        beta, mean, variance = (self.weights[f"{self._layer + 1}/{name}"] for name in ("beta", "moving_mean", "moving_variance"))
        # TensorFlow keeps (height, width, in, out) and, depthwise, (height, width, channel, 1); ONNX wants the filter first.
        kernel = kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(3, 2, 0, 1)
        if kernel.shape[0] != beta.size or (filters is not None and kernel.shape[0] != filters):
            raise ValueError(f"layer {self._layer}: kernel {kernel.shape} where {filters or beta.size} filters belong")
        gain = 1 / np.sqrt(variance + np.float32(_EPSILON))
        name = f"layer_{self._layer}"
        # "Same" padding: with stride 2 and an even size, TensorFlow adds the one row at the end.
        size = kernel.shape[2]
        pads = [0, 0, 0, 0] if size == 1 else [1, 1, 1, 1] if stride == 1 else [0, 0, 1, 1]
        inputs = [
            tensor,
            self.constant(f"{name}/kernel", kernel * gain.reshape(-1, 1, 1, 1)),
            self.constant(f"{name}/bias", beta - mean * gain),
        ]
        self.nodes += [
            helper.make_node(
                "Conv", inputs, [f"{name}/conv"], name,
                kernel_shape=[size, size], strides=[stride, stride], pads=pads, group=kernel.shape[0] if depthwise else 1,
            ),
            helper.make_node("Relu", [f"{name}/conv"], [f"{name}/relu"], f"{name}/relu"),
        ]  # fmt: skip
        self._layer += 2
        return f"{name}/relu"

    def classifier(self, tensor: str) -> None:
        kernel = self.constant("classifier/kernel", self.weights[f"{self._layer}/kernel"])
        bias = self.constant("classifier/bias", self.weights[f"{self._layer}/bias"])
        self.nodes += [
            helper.make_node("GlobalAveragePool", [tensor], ["pooled"], "pool"),
            helper.make_node("Flatten", ["pooled"], ["features"], "flatten", axis=1),
            helper.make_node("Gemm", ["features", kernel, bias], ["logits"], "classifier"),
            helper.make_node("Sigmoid", ["logits"], ["scores"], "scores"),
        ]
