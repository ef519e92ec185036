"""Golden samples of a bundle: drawn pictures or synthesised sounds, and what the model answers to them where it was built."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from parvis_contract.card import Card, Golden, ImageInput, LogMelInput
from parvis_edge.bundle import Bundle, load_folder
from parvis_edge.hearing.log_mel import LogMel, cut_patches
from parvis_edge.update.golden import difference

from . import calibration, zoo

FILE = "golden.npz"
#: The strongest answers are kept, and others at even distances: what matters, and that nothing else speaks up.
STRONGEST, OTHERS = 192, 64
PICTURES, PATCHES = 2, 8

#: How far an answer may be from what was kept: twice what separates, on these samples, the runtime's own two ways through the same model,
#: operator by operator and fused into sums of whole numbers; another processor rounds at the same places. At least this, of a score and
#: of a box's side in pixels: a difference that no threshold would see.
LEAST_SCORES = 0.05
LEAST_BOXES_PX = 2.0


def write_golden(folder: Path) -> Card:
    """Makes the golden samples of the bundle in a folder, and names them in its card.

    Returns:
        The card.

    Raises:
        parvis_edge.bundle.BundleError: The bundle cannot be used.
    """
    bundle = load_folder(folder)
    raw = make_golden(bundle)
    (folder / FILE).write_bytes(raw)
    scores = bundle.card.output.scores.name
    tolerances = {
        name: max(LEAST_SCORES if name == scores else LEAST_BOXES_PX, round(2.0 * apart, 2))
        for name, apart in difference(Bundle(bundle.card, unfused(folder / bundle.card.model_file)), raw).items()
    }
    made_of = "Pictures drawn by" if isinstance(bundle.card.input, ImageInput) else "Sounds synthesised by"
    note = (
        f"{made_of} parvis_models/golden.py; no recording. Tolerances: twice what separates the runtime's own two ways through the model "
        "on them, operator by operator and fused; at least 0.05 of a score and 2 pixels of a box's side."
    )
    golden = Golden(file=FILE, sha256=hashlib.sha256(raw).hexdigest(), tolerances=tolerances, note=note)
    card = bundle.card.model_copy(update={"golden": golden})
    zoo.write_card(folder, card)
    return card


def unfused(model: Path) -> onnxruntime.InferenceSession:
    """A model as it stands, operator by operator."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def make_golden(bundle: Bundle) -> bytes:
    """The archive that :func:`parvis_edge.update.golden.difference` reads."""
    given = bundle.card.input
    if isinstance(given, ImageInput):
        height, width = (int(side) for side in given.shape[2:])
        inputs: NDArray[np.uint8] | NDArray[np.float16] = np.stack(
            [drawn_street(width, height, seed).transpose(2, 0, 1) for seed in range(PICTURES)]
        )
        # One picture at a time is what such a model takes.
        inputs = inputs[:1] if given.shape[0] == 1 else inputs
    else:
        inputs = _patches(given)
    names = [each.name for each in bundle.session.get_outputs()]
    answers = dict(zip(names, bundle.session.run(names, {given.name: inputs.astype(np.float32)}), strict=True))
    scores = answers[bundle.card.output.scores.name]
    kept: dict[str, NDArray[np.generic]] = {"input": inputs}
    for name, answer in answers.items():
        if answer is scores:
            at = _strongest(scores.ravel())
        else:
            # Of the boxes, those that count: where no score is, a box means nothing.
            cells = np.sort(np.argsort(scores.max(axis=-1).ravel())[-STRONGEST // 4 :])
            at = (cells[:, None] * answer.shape[-1] + np.arange(answer.shape[-1])).ravel()
        kept[f"{name}.at"] = at.astype(np.int32)
        kept[f"{name}.is"] = answer.ravel()[at].astype(np.float32)
    raw = io.BytesIO()
    np.savez_compressed(raw, **kept)  # type: ignore[arg-type]
    return raw.getvalue()


def _strongest(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    even = np.linspace(0, scores.size - 1, OTHERS).astype(np.int64)
    return np.union1d(np.argsort(scores)[-STRONGEST:], even)


def drawn_street(width: int, height: int, seed: int) -> NDArray[np.uint8]:
    """Figures and vehicles of plain shapes on a graded ground, the same for the same seed.

    Returns:
        ``(height, width, 3)`` uint8, blue-green-red.
    """
    random = np.random.default_rng(seed)
    picture = np.repeat(np.repeat(np.linspace(170, 90, height).astype(np.uint8)[:, None, None], width, axis=1), 3, axis=2)
    for _ in range(6):
        left, top = int(random.integers(0, width * 3 // 4)), int(random.integers(height // 4, height * 3 // 4))
        long, colour = int(random.integers(width // 10, width // 4)), [int(part) for part in random.integers(0, 255, 3)]
        high, wheel = long * 2 // 5, max(2, long // 9)
        cv2.rectangle(picture, (left, top), (left + long, top + high), colour, -1)
        cv2.rectangle(picture, (left + long // 5, top - high // 2), (left + long * 4 // 5, top), colour, -1)
        for axle in (left + long // 5, left + long * 4 // 5):
            cv2.circle(picture, (axle, top + high), wheel, (20, 20, 20), -1)
    for _ in range(12):
        x, y = int(random.integers(0, width)), int(random.integers(height // 5, height))
        tall, colour = int(random.integers(height // 10, height // 3)), [int(part) for part in random.integers(0, 255, 3)]
        cv2.ellipse(picture, (x, y), (max(2, tall // 6), tall // 3), 0, 0, 360, colour, -1)
        cv2.circle(picture, (x, y - tall * 2 // 5), max(2, tall // 9), (140, 165, 200), -1)
        for side in (-1, 1):
            cv2.line(picture, (x, y), (x + side * tall // 8, y + tall // 2), (40, 40, 50), max(1, tall // 12))
    return np.asarray(picture, np.uint8)


def _patches(given: LogMelInput) -> NDArray[np.float16]:
    """Of as many different sounds; the features of a half are plenty."""
    log_mel = LogMel(given)
    hop = round(given.patch_hop_s / given.hop_s)
    each = [cut_patches(log_mel.frames(sound), log_mel.patch_frames, hop) for sound in calibration.sounds(given.rate_hz)]
    middles = [patches[len(patches) // 2] for patches in each if len(patches)]
    chosen = [middles[round(place)] for place in np.linspace(0, len(middles) - 1, PATCHES)]
    return np.stack(chosen).astype(np.float16)
