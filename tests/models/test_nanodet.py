from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from parvis_models import nanodet

WIDTH = nanodet.CLASSES + 4 * nanodet.BINS


def converted(names: str = "a", *, width: int = WIDTH, pad_value: float = 0.0) -> onnx.ModelProto:
    """A small network in the converter's style: pads apart, identities in between, three heads, the coarser ones deeper.

    Args:
        names: Begins each name; the converter's differ from run to run.
        width: Channels of a head.
        pad_value: What the pads add.
    """
    random = np.random.default_rng(0)
    constants: dict[str, npt.NDArray[np.generic]] = {
        f"{names}_pads": np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64),
        f"{names}_pad_value": np.array(pad_value, np.float32),
    }
    nodes: list[onnx.NodeProto] = []

    def convolve(source: str, name: str, shape: tuple[int, int, int, int], stride: int) -> str:
        constants[f"{names}_{name}_w"] = random.normal(0, 0.3, shape).astype(np.float32)
        constants[f"{names}_{name}_b"] = random.normal(0, 0.3, shape[0]).astype(np.float32)
        nodes.append(helper.make_node("Identity", [source], [f"{names}_{name}_same"], f"{names}_{name}_same"))
        if shape[2] == 3:
            pad_inputs = [source, f"{names}_pads", f"{names}_pad_value"]
            nodes.append(helper.make_node("Pad", pad_inputs, [f"{names}_{name}_padded"], f"{names}_{name}_pad"))
            source = f"{names}_{name}_padded"
        inputs = [source, f"{names}_{name}_w", f"{names}_{name}_b"]
        nodes.append(helper.make_node("Conv", inputs, [f"{names}_{name}"], f"{names}_{name}", strides=[stride, stride]))
        return f"{names}_{name}"

    eight = convolve("input:0", "stem", (4, 3, 8, 8), 8)
    sixteen = convolve(eight, "down", (4, 4, 3, 3), 2)
    thirty_two = convolve(sixteen, "down_again", (4, 4, 3, 3), 2)
    heads = [convolve(tensor, f"head_{size}", (width, 4, 1, 1), 1) for size, tensor in ((32, thirty_two), (8, eight), (16, sixteen))]
    graph = helper.make_graph(
        nodes,
        names,
        [helper.make_tensor_value_info("input:0", TensorProto.FLOAT, [1, 3, 416, 416])],
        [helper.make_tensor_value_info(head, TensorProto.FLOAT, None) for head in heads],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", nanodet.OPSET)], ir_version=8)


def run(model: onnx.ModelProto, **feed: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [np.asarray(output) for output in session.run(None, feed)]


def test_normalisation_and_decoding_are_those_of_the_published_code() -> None:
    image = np.random.default_rng(1).uniform(0, 255, (1, 3, 416, 416)).astype(np.float32)
    model = nanodet.float_graph(converted())
    scores, boxes = run(model, image=image)
    assert scores.shape == (1, 3549, 80)
    assert boxes.shape == (1, 3549, 4)

    mean, std = (np.array(value, np.float32).reshape(1, 3, 1, 1) for value in (nanodet.MEAN_BGR, nanodet.STD_BGR))
    session = onnxruntime.InferenceSession(converted().SerializeToString(), providers=["CPUExecutionProvider"])
    heads = session.run(["a_head_8", "a_head_16", "a_head_32"], {"input:0": (image - mean) / std})
    expected_scores, expected_boxes = [], []
    for stride, head in zip((8, 16, 32), heads, strict=True):
        cells = np.asarray(head, np.float64).reshape(WIDTH, -1).T
        expected_scores.append(1 / (1 + np.exp(-cells[:, :80])))
        share = np.exp(cells[:, 80:].reshape(-1, 4, 11))
        share /= share.sum(axis=2, keepdims=True)
        expected_boxes.append((share * np.arange(11)).sum(axis=2) * stride)
    np.testing.assert_allclose(scores[0], np.concatenate(expected_scores), atol=1e-4)
    np.testing.assert_allclose(boxes[0], np.concatenate(expected_boxes), atol=1e-2, rtol=1e-4)


def test_the_converter_s_names_and_order_do_not_matter() -> None:
    shuffled = converted("other")
    heads = [node for node in shuffled.graph.node if "head" in node.name]
    others = [node for node in shuffled.graph.node if "head" not in node.name]
    del shuffled.graph.node[:]
    shuffled.graph.node.extend([*others, *heads[4:], *heads[:2], *heads[2:4]])
    one, other = nanodet.float_graph(converted()), nanodet.float_graph(shuffled)
    assert one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)


def test_what_stays_in_float_is_in_the_graph() -> None:
    names = {node.name for node in nanodet.float_graph(converted()).graph.node}
    assert set(nanodet.FLOAT_NODES) <= names


@pytest.mark.parametrize(
    ("change", "message"),
    [({"width": WIDTH - 1}, "expected 3 heads of 124 channels, found 0"), ({"pad_value": 1.0}, "pads a convolution with 1.0")],
)
def test_another_network_is_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nanodet.float_graph(converted(**change))  # type: ignore[arg-type]


def test_labels_are_the_eighty_of_coco() -> None:
    assert len(set(nanodet.LABELS)) == nanodet.CLASSES
    assert nanodet.LABELS[0] == "person"
    assert nanodet.LABELS[79] == "toothbrush"
    assert nanodet.cells() == 3549
