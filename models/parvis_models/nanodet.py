"""The detector's float graph: NanoDet-g as converted, with its normalisation and its box decoding brought inside.

NanoDet (github RangiLyu/nanodet, Apache-2.0) predicts at every cell of three strides 80 class scores and, for each of the
four sides of a box, a distribution over 11 bins of width one stride ("generalised focal loss", Li et al. 2020, section 3);
the distance is the distribution's mean. A unit should not have to know that, so the graph does it.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

INPUT_SIZE_PX = 416
STRIDES_PX = (8, 16, 32)
CLASSES = 80
BINS = 11
OPSET = 17

#: The last convolution of each stride.
HEADS = tuple(f"head/stride_{stride}" for stride in STRIDES_PX)
#: What comes after the network itself, and the heads: their outputs are scores and distances, which 8 bits would make coarse.
FLOAT_NODES = (
    "normalise/mean", "normalise/std", *HEADS,
    *(f"decode/stride_{stride}/{step}" for stride in STRIDES_PX for step in ("transpose", "reshape")),
    *(f"decode/{step}" for step in ("concat", "split", "sigmoid", "bins", "softmax", "mean", "sides", "pixels")),
)  # fmt: skip

# Mean and standard deviation, in BGR of 0..255, as in the published training configuration `config/nanodet-g.yml`.
MEAN_BGR = (103.53, 116.28, 123.675)
STD_BGR = (57.375, 57.12, 58.395)

# The 80 object categories of COCO, in the order of the published configuration.
LABELS: tuple[str, ...] = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear",
    "hair drier", "toothbrush",
)  # fmt: skip


def cells() -> int:
    """Number of anchor cells: 52² + 26² + 13² = 3549."""
    return sum((INPUT_SIZE_PX // stride) ** 2 for stride in STRIDES_PX)


def float_graph(converted: onnx.ModelProto) -> onnx.ModelProto:
    """Make the float model that is quantised and measured.

    Args:
        converted: what tf2onnx makes of `nanodet.json`: input (1, 3, 416, 416), and per stride a sigmoid and a reshape.

    Returns:
        A model with input `image` (1, 3, 416, 416) float32, BGR 0..255, and outputs `scores` (1, 3549, 80) float32 in
        [0, 1] and `boxes` (1, 3549, 4) float32: distance in pixels of the input from the centre of the cell to the left,
        top, right and bottom side. Cells: strides 8, 16, 32 in turn, row by row.

    Raises:
        ValueError: the graph is not the one this code was written for.
    """
    constants = {t.name: numpy_helper.to_array(t) for t in converted.graph.initializer}
    body = _fold_padding(_without_identities(converted.graph.node), constants)
    heads = _head_convolutions(body, constants)
    inputs = [i.name for i in converted.graph.input]
    if len(inputs) != 1:
        raise ValueError(f"expected one input, found {inputs}")
    body, constants = _in_order(body, heads, constants)
    nodes = [
        helper.make_node("Sub", ["image", "mean_bgr"], ["centred"], "normalise/mean"),
        helper.make_node("Mul", ["centred", "reciprocal_std_bgr"], [inputs[0]], "normalise/std"),
        *body,
        *_decode(heads),
    ]
    constants |= {
        "mean_bgr": np.array(MEAN_BGR, np.float32).reshape(1, 3, 1, 1),
        "reciprocal_std_bgr": (1 / np.array(STD_BGR, np.float32)).reshape(1, 3, 1, 1),
        "cells_first": np.array([1, -1, CLASSES + 4 * BINS], np.int64),
        "class_and_box": np.array([CLASSES, 4 * BINS], np.int64),
        "sides_and_bins": np.array([1, -1, 4, BINS], np.int64),
        "bins": np.arange(BINS, dtype=np.float32).reshape(BINS, 1),
        "sides": np.array([1, -1, 4], np.int64),
        "stride_of_cell": np.concatenate([np.full((INPUT_SIZE_PX // s) ** 2, s, np.float32) for s in STRIDES_PX]).reshape(1, -1, 1),
    }
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "nanodet-g-416",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, INPUT_SIZE_PX, INPUT_SIZE_PX])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, cells(), CLASSES]),
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, cells(), 4]),
        ],
        [numpy_helper.from_array(constants[name], name) for name in sorted(constants) if name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="parvis-models")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def _without_identities(nodes: Iterable[onnx.NodeProto]) -> list[onnx.NodeProto]:
    return [node for node in nodes if node.op_type != "Identity"]


def _fold_padding(nodes: list[onnx.NodeProto], constants: dict[str, NDArray[Any]]) -> list[onnx.NodeProto]:
    """Move each Pad into the convolution or pooling behind it, as runtimes expect it."""
    pads = {node.output[0]: node for node in nodes if node.op_type == "Pad"}
    folded = []
    for node in nodes:
        if node.op_type in ("Conv", "MaxPool") and node.input[0] in pads:
            pad = pads[node.input[0]]
            amounts = [int(amount) for amount in constants[pad.input[1]]]
            value = float(constants[pad.input[2]]) if len(pad.input) > 2 else 0.0
            if amounts[:2] != [0, 0] or amounts[4:6] != [0, 0]:
                raise ValueError(f"{pad.name} pads more than height and width")
            if node.op_type == "Conv" and value != 0:
                raise ValueError(f"{pad.name} pads a convolution with {value}")
            node.input[0] = pad.input[0]
            node.attribute.append(helper.make_attribute("pads", amounts[2:4] + amounts[6:8]))
        if node.op_type != "Pad":
            folded.append(node)
    return folded


def _head_convolutions(nodes: list[onnx.NodeProto], constants: dict[str, NDArray[Any]]) -> list[onnx.NodeProto]:
    """Return the last convolution of each stride, finest stride first."""
    width = CLASSES + 4 * BINS
    heads = [node for node in nodes if node.op_type == "Conv" and constants[node.input[1]].shape[0] == width]
    if len(heads) != len(STRIDES_PX):
        raise ValueError(f"expected {len(STRIDES_PX)} heads of {width} channels, found {len(heads)}")
    depth = {node.name: len(_ancestors(nodes, [node])) for node in heads}
    # The top-down and bottom-up paths of the neck make the coarsest head the one with the most nodes above it.
    return sorted(heads, key=lambda node: depth[node.name])


def _ancestors(nodes: list[onnx.NodeProto], wanted: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    needed = {name for node in wanted for name in node.output}
    kept = []
    for node in reversed(nodes):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    return kept[::-1]


def _in_order(
    nodes: list[onnx.NodeProto], heads: list[onnx.NodeProto], constants: dict[str, NDArray[Any]]
) -> tuple[list[onnx.NodeProto], dict[str, NDArray[Any]]]:
    """Sort and name the nodes by the way from the heads to the input: the converter's order and names differ from run to run."""
    maker = {name: node for node in nodes for name in node.output}
    ordered: list[onnx.NodeProto] = []
    placed: set[str] = set()
    # A stack instead of a recursion: the network is deeper than it is wise to recurse.
    stack = heads[::-1]
    while stack:
        node = stack[-1]
        waiting = [maker[name] for name in node.input if name in maker and maker[name].output[0] not in placed]
        if waiting:
            stack += waiting[::-1]
            continue
        stack.pop()
        if node.output[0] not in placed:
            placed.add(node.output[0])
            ordered.append(node)
    names: dict[str, str] = {}
    head_names = {head.output[0]: name for head, name in zip(heads, HEADS, strict=True)}
    for index, node in enumerate(ordered):
        node.name = head_names.get(node.output[0], f"{node.op_type.lower()}_{index}")
        for place, name in enumerate(node.input):
            if name in constants:
                names.setdefault(name, f"{node.name}/constant_{place}")
        names |= {name: f"{node.name}/out_{place}" for place, name in enumerate(node.output)}
    for node in ordered:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
        for place, name in enumerate(node.output):
            node.output[place] = names[name]
    return ordered, {names[name]: value for name, value in constants.items() if name in names}


def _decode(heads: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    nodes = []
    for stride, head in zip(STRIDES_PX, heads, strict=True):
        prefix = f"decode/stride_{stride}"
        nodes += [
            helper.make_node("Transpose", [head.output[0]], [f"{prefix}/nhwc"], f"{prefix}/transpose", perm=[0, 2, 3, 1]),
            helper.make_node("Reshape", [f"{prefix}/nhwc", "cells_first"], [f"{prefix}/cells"], f"{prefix}/reshape"),
        ]
    return [
        *nodes,
        helper.make_node("Concat", [f"decode/stride_{s}/cells" for s in STRIDES_PX], ["cells"], "decode/concat", axis=1),
        helper.make_node("Split", ["cells", "class_and_box"], ["logits", "distribution"], "decode/split", axis=2),
        helper.make_node("Sigmoid", ["logits"], ["scores"], "decode/sigmoid"),
        helper.make_node("Reshape", ["distribution", "sides_and_bins"], ["bin_logits"], "decode/bins"),
        helper.make_node("Softmax", ["bin_logits"], ["bin_share"], "decode/softmax", axis=3),
        helper.make_node("MatMul", ["bin_share", "bins"], ["mean_bin"], "decode/mean"),
        helper.make_node("Reshape", ["mean_bin", "sides"], ["distances"], "decode/sides"),
        helper.make_node("Mul", ["distances", "stride_of_cell"], ["boxes"], "decode/pixels"),
    ]
