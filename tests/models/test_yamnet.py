from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from parvis_models import yamnet

Floats = npt.NDArray[np.float32]

# Stride and filters out of the published architecture's separable layers, written down a second time.
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
FILTERS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
EPSILON = 1e-4


def random_weights(seed: int = 0) -> dict[str, Floats]:
    random = np.random.default_rng(seed)
    weights: dict[str, Floats] = {}
    layer = 0

    def add(**arrays: npt.NDArray[np.float64]) -> None:
        nonlocal layer
        weights.update({f"{layer}/{name}": value.astype(np.float32) for name, value in arrays.items()})
        layer += 1

    def normalisation(size: int) -> None:
        add(beta=random.normal(0, 0.1, size), moving_mean=random.normal(0, 0.1, size), moving_variance=random.uniform(0.5, 1.5, size))

    add(kernel=random.normal(0, 0.4, (3, 3, 1, 32)))
    normalisation(32)
    channels = 32
    for filters in FILTERS:
        add(depthwise_kernel=random.normal(0, 0.4, (3, 3, channels, 1)))
        normalisation(channels)
        add(kernel=random.normal(0, 1.4 / np.sqrt(channels), (1, 1, channels, filters)))
        normalisation(filters)
        channels = filters
    add(kernel=random.normal(0, 0.1, (1024, 521)), bias=random.normal(0, 1, 521))
    return weights


def reference(weights: dict[str, Floats], patches: Floats) -> Floats:
    """The published network in numpy, normalisation unfolded, "same" padding as TensorFlow has it."""
    layer = 0

    def convolve(x: npt.NDArray[np.float64], stride: int, depthwise: bool) -> npt.NDArray[np.float64]:
        nonlocal layer
        kernel = weights[f"{layer}/{'depthwise_kernel' if depthwise else 'kernel'}"].astype(np.float64)
        size = kernel.shape[0]
        out = [-(-side // stride) for side in x.shape[1:3]]
        short = [max((o - 1) * stride + size - side, 0) for o, side in zip(out, x.shape[1:3], strict=True)]
        x = np.pad(x, ((0, 0), (short[0] // 2, short[0] - short[0] // 2), (short[1] // 2, short[1] - short[1] // 2), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]
        rule = "nhwcab,abc->nhwc" if depthwise else "nhwcab,abcd->nhwd"
        y = np.einsum(rule, windows, kernel[..., 0] if depthwise else kernel, optimize=True)
        mean, variance, beta = (weights[f"{layer + 1}/{name}"] for name in ("moving_mean", "moving_variance", "beta"))
        layer += 2
        return np.maximum((y - mean) / np.sqrt(variance + EPSILON) + beta, 0)

    x = convolve(patches[..., None].astype(np.float64), 2, depthwise=False)
    for stride in STRIDES:
        x = convolve(convolve(x, stride, depthwise=True), 1, depthwise=False)
    logits = x.mean(axis=(1, 2)) @ weights[f"{layer}/kernel"] + weights[f"{layer}/bias"]
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def test_the_graph_is_the_published_network() -> None:
    weights = random_weights()
    session = onnxruntime.InferenceSession(yamnet.float_graph(weights).SerializeToString(), providers=["CPUExecutionProvider"])
    patches = np.random.default_rng(1).normal(-3, 2, (2, 96, 64)).astype(np.float32)
    scores = session.run(["scores"], {"patches": patches})[0]
    expected = reference(weights, patches)
    assert scores.shape == (2, 521)
    assert expected.std() > 0.01
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_a_missing_weight_is_named() -> None:
    weights = random_weights()
    del weights["5/beta"]
    with pytest.raises(KeyError, match="5/beta"):
        yamnet.float_graph(weights)


def test_another_architecture_is_refused() -> None:
    weights = random_weights()
    weights["4/kernel"] = weights["4/kernel"][..., :32]
    with pytest.raises(ValueError, match="layer 4"):
        yamnet.float_graph(weights)
