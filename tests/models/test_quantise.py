from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from parvis_models.quantise import Scheme, quantise

Floats = npt.NDArray[np.float32]


def small_network() -> onnx.ModelProto:
    """Two convolutions, the second of which stands for a head."""
    random = np.random.default_rng(0)
    constants = {
        "w0": random.normal(0, 0.3, (8, 3, 3, 3)),
        "b0": random.normal(0, 0.1, 8),
        "w1": random.normal(0, 0.3, (4, 8, 1, 1)),
        "b1": random.normal(0, 0.1, 4),
    }
    nodes = [
        helper.make_node("Conv", ["image", "w0", "b0"], ["c0"], "body", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c0"], ["r0"], "relu"),
        helper.make_node("Conv", ["r0", "w1", "b1"], ["logits"], "head"),
        helper.make_node("Sigmoid", ["logits"], ["scores"], "sigmoid"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 4, 16, 16])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def batches(count: int = 8) -> Iterator[Floats]:
    random = np.random.default_rng(2)
    for _ in range(count):
        yield random.normal(0, 1, (1, 3, 16, 16)).astype(np.float32)


def scores(model: bytes) -> Floats:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"image": next(batches())})[0])


HEAD_IN_FLOAT = Scheme(float_nodes=("head", "sigmoid"))


@pytest.mark.parametrize("scheme", [HEAD_IN_FLOAT, Scheme(float_nodes=("head", "sigmoid"), percentile=99.9)])
def test_eight_bits_come_near_to_float(scheme: Scheme) -> None:
    difference = np.abs(scores(quantise(small_network(), batches(), scheme)) - scores(small_network().SerializeToString()))
    assert 0 < difference.mean() < 0.01


def test_scores_of_a_head_in_float_are_finer_than_eight_bits() -> None:
    assert len(np.unique(scores(quantise(small_network(), batches(), HEAD_IN_FLOAT)))) > 900
    assert len(np.unique(scores(quantise(small_network(), batches(), Scheme(float_nodes=()))))) <= 256


def test_the_same_input_gives_the_same_bytes() -> None:
    one, other = (quantise(small_network(), batches(), HEAD_IN_FLOAT) for _ in range(2))
    assert one == other


def test_weights_have_a_scale_per_channel_and_fit_seven_bits() -> None:
    model = onnx.load_model_from_string(quantise(small_network(), batches(), HEAD_IN_FLOAT))
    constants = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    weights = next(value for name, value in constants.items() if name.startswith("w0") and value.dtype == np.int8)
    assert np.abs(weights.astype(np.int16)).max() <= 64
    scale = next(value for name, value in constants.items() if name.startswith("w0") and "scale" in name)
    assert scale.shape == (8,)


def test_a_scheme_for_another_graph_is_refused() -> None:
    with pytest.raises(ValueError, match="no node \\['tail'\\]"):
        quantise(small_network(), batches(), Scheme(float_nodes=("tail",)))
