"""The heads: fitted to synthesised sounds, added behind the tagger's own labels, and right about sounds that they were not fitted to."""

import numpy as np
import onnx
import onnxruntime
import pytest
from parvis_contract.card import LogMelInput
from parvis_edge.bundle import load_bundle, zoo_folder
from parvis_edge.hearing.log_mel import LogMel
from parvis_edge.hearing.tagger import HEADS, Tagger
from parvis_models import heads
from parvis_models.synthesis import IMPULSIVE, ONSET_S, SUSTAINED, impulsive, sustained

BUNDLE = load_bundle("yamnet")


def _log_mel() -> LogMel:
    assert isinstance(BUNDLE.card.input, LogMelInput)
    return LogMel(BUNDLE.card.input)


@pytest.mark.parametrize("kind", [*SUSTAINED, *IMPULSIVE])
def test_every_kind_can_be_heard_and_is_the_same_for_the_same_seed(kind: str) -> None:
    make = sustained if kind in SUSTAINED else impulsive
    sound, again = (make(kind, np.random.default_rng(3)) for _ in range(2))
    assert np.abs(sound).max() == pytest.approx(0.9, abs=1e-3)
    np.testing.assert_array_equal(sound, again)


def test_an_impulsive_sound_begins_at_its_onset() -> None:
    random = np.random.default_rng(4)
    for _ in range(10):
        sound = np.square(impulsive("shot", random))
        onset = round(ONSET_S * 16_000)
        assert sound[onset : onset + 1_600].mean() > 5.0 * sound[: onset - 160].mean()


def test_a_head_parts_what_can_be_parted() -> None:
    random = np.random.default_rng(5)
    own = np.arange(200) < 40
    features = random.normal(size=(200, 6)).astype(np.float32)
    features[own, 2] += 4.0
    head = heads.fit(features, own)
    said = features @ head[:-1] + head[-1]
    assert (said[own] > 0.0).mean() > 0.9
    assert (said[~own] < 0.0).mean() > 0.9


def test_the_shipped_tagger_has_the_heads_and_its_own_scores_are_the_published_ones() -> None:
    """Taking the last node away gives the scores before the heads; adding the heads again gives the shipped ones."""
    model = onnx.load(zoo_folder() / "yamnet" / BUNDLE.card.version / "model.onnx")
    assert BUNDLE.card.labels[-len(HEADS) :] == tuple(HEADS.values())
    kernel = next(tensor for tensor in model.graph.initializer if tensor.name == "heads/kernel")
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(kernel), heads.read()[:, :-1].T)
    model.graph.output.append(onnx.helper.make_tensor_value_info("own_scores", onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    patches = np.random.default_rng(6).normal(-3.0, 1.0, (2, 96, 64)).astype(np.float32)
    whole, own = session.run(["scores", "own_scores"], {"patches": patches})
    np.testing.assert_array_equal(whole[:, : -len(HEADS)], own)


def test_a_graph_without_features_gets_no_heads() -> None:
    graph = onnx.helper.make_graph([], "empty", [], [])
    with pytest.raises(ValueError, match="heads are for the sound tagger"):
        heads.graft(onnx.helper.make_model(graph), heads.read())


@pytest.mark.parametrize("kind", HEADS)
def test_heads_know_sounds_that_they_have_not_learnt_from(kind: str) -> None:
    """Of another seed: five in six of the class score higher than five in six of the others, on the shipped tagger."""
    random, log_mel, tagger = np.random.default_rng(99), _log_mel(), Tagger(BUNDLE)
    onset = round(ONSET_S * log_mel.rate_hz / log_mel.hop)

    def score(other: str) -> float:
        frames = log_mel.frames(sustained(other, random) if kind in SUSTAINED else impulsive(other, random))
        at = 10 if kind in SUSTAINED else onset - 10
        return float(tagger.scores(frames[np.newaxis, at : at + log_mel.patch_frames])[0, BUNDLE.card.labels.index(HEADS[kind])])

    own = [score(kind) for _ in range(20)]
    others = [score(other) for other in (SUSTAINED if kind in SUSTAINED else IMPULSIVE) if other != kind for _ in range(5)]
    assert np.quantile(own, 0.15) > np.quantile(others, 0.85)
