"""A model is exchanged between two frames: every frame is judged once, what is open stays open, and a model that fails costs no frame."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parvis_contract import ModelRef, Phase
from parvis_edge.bundle import Bundle, BundleError, load_bundle, load_folder
from parvis_edge.capture.container import Tally
from parvis_edge.capture.feed import Feed, Pace
from parvis_edge.capture.queue import BoundedQueue
from parvis_edge.capture.source import Kind, Source
from parvis_edge.hearing.tagger import Tagger
from parvis_edge.hosting import ModelHost, Models
from parvis_edge.perceive import Perceiver
from parvis_edge.perception import Frame, Judgement
from parvis_edge.vision.detector import Detector
from parvis_models.golden import drawn_street

from tests.edge.clips import grey
from tests.edge.senses import Darkness
from tests.edge.test_perceive import Listener

CARD = load_bundle("yamnet").card


def bundle_of(version: str, labels: tuple[str, ...] = CARD.labels) -> Bundle:
    return Bundle(CARD.model_copy(update={"version": version, "labels": labels}), None)


class Seeing(Darkness):
    """Says which model judged which frame; version 2.0.0 fails at every frame, 3.0.0 cannot be put in as it is."""

    judged: list[tuple[str, float]]

    def __init__(self, models: Models, judged: list[tuple[str, float]]) -> None:
        super().__init__()
        self.judged = judged
        self.model = models.bundle("yamnet").ref

    def exchange(self, bundle: Bundle) -> bool:
        if bundle.card.version == "3.0.0":
            return False
        if bundle.card.version == "4.0.0":
            raise BundleError("not a detector")
        self.model = bundle.ref
        return True

    def process(self, item: Frame) -> list[Judgement]:
        if self.model.version == "2.0.0":
            raise RuntimeError("out of order\nsecond line")
        self.judged.append((self.model.version, item.time_s))
        return super().process(item)


@pytest.mark.parametrize(
    ("version", "expected", "phases", "fault"),
    [
        ("1.1.0", ["1.0.0"] * 5 + ["1.1.0"] * 5, [Phase.START] + [Phase.UPDATE] * 9 + [Phase.END], None),
        ("2.0.0", ["1.0.0"] * 10, [Phase.START] + [Phase.UPDATE] * 9 + [Phase.END], "RuntimeError: out of order"),
        # Another form of model: what is open ends and begins anew; still no frame is lost.
        ("3.0.0", ["1.0.0"] * 5 + ["3.0.0"] * 5,
         [Phase.START, *[Phase.UPDATE] * 4, Phase.END, Phase.START, *[Phase.UPDATE] * 4, Phase.END], None),
        ("4.0.0", ["1.0.0"] * 10, [Phase.START] + [Phase.UPDATE] * 9 + [Phase.END], "BundleError: not a detector"),
    ],
)  # fmt: skip
def test_every_frame_is_judged_once(version: str, expected: list[str], phases: list[Phase], fault: str | None) -> None:
    judged: list[tuple[str, float]] = []
    models = Models(lambda _: bundle_of("1.0.0"))
    told: list[ModelRef] = []
    queue: BoundedQueue[Frame] = BoundedQueue(1, drop_oldest=False)

    def frames() -> Iterator[Frame]:
        for index in range(10):
            if index == 5:
                while len(judged) < 5:
                    threading.Event().wait(0.005)
                host.exchange(bundle_of(version), on_trial=True)
            yield Frame(float(index), grey(5))

    source = Source(Kind.FILE, "frames", recorded=True)
    pace = Pace(0.0, threading.Event(), real=False)
    feed: Feed[Any] = Feed("camera", source, open_source=frames, queue=queue, tally=Tally(), pace=pace)
    listener = Listener()
    perceiver = Perceiver(
        "camera", feed=feed, queue=queue, make=lambda: Seeing(models, judged), sense=Seeing(models, judged), listener=listener
    )
    host = ModelHost([perceiver], models, told.append)
    perceiver.start()
    feed.start()
    perceiver.join(20)
    feed.join(20)
    assert [time_s for _, time_s in judged] == [float(index) for index in range(10)]
    assert [which for which, _ in judged] == expected
    assert [phase for _, phase in listener.said] == phases
    assert not perceiver.failed
    assert perceiver.model_fault == fault
    assert host.vitals("yamnet").failure == fault
    assert models.bundle("yamnet").card.version == expected[-1]
    assert told[-1:] == ([] if version == "4.0.0" and not told else [ModelRef(name="yamnet", version=expected[-1])])


def test_the_real_detector_sees_the_same_after_an_exchange() -> None:
    detector, picture = Detector(load_bundle("nanodet-g-416")), drawn_street(640, 360, 3)
    before = detector.detect(picture)
    assert detector.exchange(load_bundle("nanodet-g-416"))
    after = detector.detect(picture)
    assert len(before) > 0
    assert np.array_equal(before.boxes_px, after.boxes_px)
    assert np.array_equal(before.scores, after.scores)
    with pytest.raises(BundleError, match="not a detector"):
        detector.exchange(load_bundle("yamnet"))
    assert np.array_equal(detector.detect(picture).scores, before.scores)


def test_the_real_tagger_takes_another_model_of_its_form(bundles: dict[str, Path]) -> None:
    tagger, patches = Tagger(load_bundle("yamnet")), np.full((2, 96, 64), -3.0, np.float32)
    before = tagger.scores(patches)
    assert tagger.exchange(load_folder(bundles["1.0.0"]))
    assert not np.allclose(tagger.scores(patches), before)
    assert tagger.exchange(load_bundle("yamnet"))
    assert np.array_equal(tagger.scores(patches), before)
    other = load_folder(bundles["1.0.0"])
    assert not tagger.exchange(Bundle(other.card.model_copy(update={"labels": other.card.labels[::-1]}), other.session))
    assert np.array_equal(tagger.scores(patches), before)
