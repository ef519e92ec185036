"""Heads: classes of Parvis that are told from the tagger's own features, learnt from synthesised sounds alone.

AudioSet's labels are of ten-second clips: "Siren" was learnt from clips that have one somewhere, and flickers where one is faint. The
features below them are richer. A head is a logistic regression on them, one row of weights per class, as a classifier has for each label
of its own; no recording has been used for it. It is fitted once, by `python -m parvis_models.heads`, and kept as an array; the
build adds it to the graph, so that its scores stand behind the labels of AudioSet.
"""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from parvis_contract.card import LogMelInput
from parvis_edge.bundle import load_bundle, zoo_folder
from parvis_edge.hearing.log_mel import LogMel
from parvis_edge.hearing.tagger import HEADS
from scipy import optimize

from .sources import MODELS_FOLDER
from .synthesis import IMPULSIVE, ONSET_S, SUSTAINED, impulsive, sustained

Floats = npt.NDArray[np.float32]

PATH = MODELS_FOLDER / "heads" / "yamnet.npy"
#: How many sounds of each kind are made. Sirens come in most forms; of a blow or a voice, one is much like another.
_SUSTAINED = {"siren": 1_200, "fire_alarm": 400, "vehicle_horn": 500}
_OTHER, _IMPULSIVE = 300, 400
#: From a patch's start to the onset, in frames: as the unit's ear lays them, give or take a frame.
_BEFORE = (0, 10, 25)
#: Weight of the squared norm, on standardised features: from a tenth to ten times as much, the development sounds part alike.
_PENALTY = 0.01
_SEED = 20


def graft(model: onnx.ModelProto, heads: Floats) -> onnx.ModelProto:
    """Adds heads to a tagger: their scores stand behind the others.

    Args:
        model: With a tensor "pooled" ``(N, F, 1, 1)`` and an output "scores" ``(N, L)``.
        heads: ``(H, F + 1)``: of each head its weights, and its bias.

    Returns:
        The same model with scores ``(N, L + H)``.

    Raises:
        ValueError: The model has no such tensors.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    last = [node for node in graph.node if list(node.output) == ["scores"]]
    if len(last) != 1 or not any("pooled" in node.output for node in graph.node):
        raise ValueError("the graph has no tensors pooled and scores; heads are for the sound tagger")
    last[0].output[0] = "own_scores"
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.ascontiguousarray(heads[:, :-1].T), "heads/kernel"),
            numpy_helper.from_array(np.ascontiguousarray(heads[:, -1]), "heads/bias"),
        ]
    )
    graph.node.extend(
        [
            helper.make_node("Flatten", ["pooled"], ["heads/features"], "heads/flatten", axis=1),
            helper.make_node("Gemm", ["heads/features", "heads/kernel", "heads/bias"], ["heads/logits"], "heads"),
            helper.make_node("Sigmoid", ["heads/logits"], ["heads/scores"], "heads/scores"),
            helper.make_node("Concat", ["own_scores", "heads/scores"], ["scores"], "all_scores", axis=1),
        ]
    )
    labels = graph.output[0].type.tensor_type.shape.dim[1].dim_value
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", labels + len(heads)]))
    onnx.checker.check_model(made)
    return made


def read() -> Floats:
    """The fitted heads, ``(H, F + 1)`` in the order of `HEADS`."""
    return np.asarray(np.load(PATH), np.float32)


def fit(features: Floats, own: npt.NDArray[np.bool_]) -> Floats:
    """Fits one head: a logistic regression in which the class and all others weigh the same.

    Args:
        features: ``(N, F)``.
        own: ``(N,)``: which are of the class.

    Returns:
        ``(F + 1,)``: weights, and bias.
    """
    mean, spread = features.mean(axis=0), features.std(axis=0) + 0.05
    inputs = ((features - mean) / spread).astype(np.float64)
    side = np.where(own, 1.0, -1.0)
    weight = np.where(own, 0.5 / own.mean(), 0.5 / (1.0 - own.mean())) / own.size

    def loss(parameters: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        margin = side * (inputs @ parameters[:-1] + parameters[-1])
        slope = -weight * side / (1.0 + np.exp(np.minimum(margin, 500.0)))
        gradient = np.append(inputs.T @ slope + 2.0 * _PENALTY * parameters[:-1], slope.sum())
        return float(weight @ np.logaddexp(0.0, -margin) + _PENALTY * np.square(parameters[:-1]).sum()), gradient

    found = optimize.minimize(loss, np.zeros(inputs.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    weights = found[:-1] / spread
    return np.append(weights, found[-1] - weights @ mean).astype(np.float32)


def train(model: onnx.ModelProto, log_mel: LogMel, *, share: float = 1.0, seed: int = _SEED) -> Floats:
    """Makes sounds, asks the model for their features, and fits a head for each class.

    Args:
        model: The tagger, with a tensor "pooled" ``(N, F, 1, 1)``.
        log_mel: Makes its input.
        share: Of the sounds that are usually made.
        seed: Of chance.

    Returns:
        ``(H, F + 1)`` in the order of `HEADS`.
    """
    random = np.random.default_rng(seed)
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    exposed.graph.output.append(helper.make_tensor_value_info("pooled", TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(exposed.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def features(patches: Floats) -> Floats:
        return np.asarray(session.run(["pooled"], {session.get_inputs()[0].name: patches})[0], np.float32).reshape(len(patches), -1)

    length, going, sudden = log_mel.patch_frames, [], []
    for kind in SUSTAINED:
        for _ in range(round(share * _SUSTAINED.get(kind, _OTHER))):
            frames = log_mel.frames(sustained(kind, random))
            at = int(random.integers(0, len(frames) - length + 1))
            going.append((kind, features(frames[np.newaxis, at : at + length])))
    onset = round(ONSET_S * log_mel.rate_hz / log_mel.hop)
    for kind in IMPULSIVE:
        for _ in range(round(share * _IMPULSIVE)):
            frames = log_mel.frames(impulsive(kind, random))
            at = onset + int(random.integers(-1, 2))
            sudden.append((kind, features(np.stack([frames[at - before : at - before + length] for before in _BEFORE]))))
    heads = []
    for kind in HEADS:
        sounds = going if kind in SUSTAINED else sudden
        every = np.concatenate([each for _, each in sounds])
        heads.append(fit(every, np.concatenate([np.full(len(each), name == kind) for name, each in sounds])))
    return np.stack(heads)


def main() -> int:
    """Fits the heads to the 8-bit tagger as it is shipped, and writes them."""
    card = load_bundle("yamnet").card
    if not isinstance(card.input, LogMelInput):
        raise TypeError(f"{card.name} {card.version} hears no sound: its input is no log-mel patch")
    PATH.parent.mkdir(exist_ok=True)
    np.save(PATH, train(onnx.load(zoo_folder() / card.name / card.version / card.model_file), LogMel(card.input)))
    sys.stdout.write(f"{PATH}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
