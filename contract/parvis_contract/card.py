"""A model's card: what it is, where it is from, what goes in and comes out, what was measured, and where it fails.

A unit loads no model without its card: it takes the checksum, the tensors, the labels and the thresholds from it, so that what
runs is what was measured. Texts in a card are for people and never travel in a message.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from .base import Closed, Fraction, Name, Sha256, Version

Text = Annotated[str, StringConstraints(min_length=1, max_length=1000, strict=True)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=100, strict=True)]
#: ``"N"`` is any number of patches at once.
Dimension = Annotated[int, Field(ge=1, le=100_000)] | Literal["N"]
Positive = Annotated[float, Field(gt=0.0, le=1.0e9)]


class SourceFile(Closed):
    """A file taken from the source package."""

    path: Text = Field(description="Path inside the package.")
    sha256: Sha256


class Source(Closed):
    """Where the weights are from: a package of a public registry, by name."""

    registry: Literal["pypi", "npm"]
    package: Text
    version: Text
    files: Annotated[tuple[SourceFile, ...], Field(min_length=1)]
    upstream: Text = Field(description="Who published and trained the model.")
    training_data: Text


class Licence(Closed):
    """What the model may be used under."""

    spdx: Text = Field(description="SPDX expression.")
    file: Text = Field(description="File with the full text, beside the card.")
    note: Text


class Quantisation(Closed):
    """How the float model became 8 bits."""

    scheme: Text
    calibration_method: Text
    calibration_data: Text = Field(description="Whose activations set the ranges; nothing else of that data is in the model.")
    float_parts: Text = Field(description="What stays in float, and why.")


class ImageInput(Closed):
    """A picture, channels first."""

    kind: Literal["image"] = "image"
    name: Text
    shape: tuple[Dimension, Dimension, Dimension, Dimension] = Field(description="Batch, channel, height, width.")
    dtype: Literal["float32"] = "float32"
    colour: Literal["bgr"] = "bgr"
    value_range: tuple[float, float] = Field(description="Normalisation is inside the model.")
    fit: Literal["letterbox", "stretch"] = Field(description="How a picture of another shape was fitted when measured.")
    pad_value: Annotated[int, Field(ge=0, le=255)] = Field(description="Grey of the letterbox's bars.")


class LogMelInput(Closed):
    """Patches of natural log-mel spectrogram, frames in order of time."""

    kind: Literal["log_mel"] = "log_mel"
    name: Text
    shape: tuple[Dimension, Dimension, Dimension] = Field(description="Patch, frame, mel band.")
    dtype: Literal["float32"] = "float32"
    rate_hz: Annotated[int, Field(gt=0)]
    window_s: Positive = Field(description="Periodic Hann.")
    hop_s: Positive
    fft_size: Annotated[int, Field(gt=0)]
    low_hz: Positive
    high_hz: Positive
    log_offset: Positive = Field(description="The feature is ln(mel magnitude + this).")
    patch_hop_s: Positive = Field(description="Published spacing of patches.")


class Tensor(Closed):
    """An output tensor."""

    name: Text
    shape: Annotated[tuple[Dimension, ...], Field(min_length=1)]
    dtype: Literal["float32"] = "float32"
    meaning: Text


class BoxesOutput(Closed):
    """Per cell of a detector: class scores and the distances to the four sides of a box."""

    kind: Literal["boxes"] = "boxes"
    scores: Tensor
    boxes: Tensor
    strides: Annotated[tuple[int, ...], Field(min_length=1)] = Field(description="In this order, each row by row, in pixels.")
    cell_centre: Fraction = Field(description="A cell's reference point is (index + this) × stride, in input pixels.")
    nms_iou: Fraction = Field(description="Overlap above which non-maximum suppression drops the weaker box of one class.")


class ScoresOutput(Closed):
    """Per patch: one independent probability per label."""

    kind: Literal["scores"] = "scores"
    scores: Tensor


class Calibration(Closed):
    """Turns a score into a probability: ``1 / (1 + exp(-(slope · logit(score) + intercept)))`` (Platt 1999)."""

    slope: Annotated[float, Field(gt=0.0, le=100.0)]
    intercept: Annotated[float, Field(ge=-100.0, le=100.0)]


class Threshold(Closed):
    """From which score on a class counts, and how that was chosen."""

    labels: Annotated[tuple[Label, ...], Field(min_length=1)] = Field(description="The class's score is the largest of theirs.")
    score: Fraction
    calibration: Calibration | None = Field(description="None: too few examples to fit one; the score itself is the best guess.")
    chosen_on: Text = Field(description="The data that it was chosen on.")
    reason: Text = Field(description="Why this value.")

    def confidence(self, score: float) -> float:
        """Probability that a detection of this score is true, as measured on the data of ``chosen_on``.

        Args:
            score: Of the model, in [0, 1].

        Returns:
            In (0, 1) where a calibration is known, else the score itself.
        """
        if self.calibration is None:
            return score
        bounded = min(max(score, 1e-6), 1.0 - 1e-6)
        logit = math.log(bounded / (1.0 - bounded))
        return 1.0 / (1.0 + math.exp(-(self.calibration.slope * logit + self.calibration.intercept)))


class ClassAccuracy(Closed):
    """One class, in float and in 8 bits. Percentages; None where the data hold no example."""

    examples: Annotated[int, Field(ge=0)]
    ap_float: Annotated[float, Field(ge=0, le=100)] | None
    ap_int8: Annotated[float, Field(ge=0, le=100)] | None
    precision_int8: Annotated[float, Field(ge=0, le=100)] | None = Field(description="Of pictures at the threshold, of sounds as reported.")
    recall_int8: Annotated[float, Field(ge=0, le=100)] | None = Field(description="Of pictures at the threshold, of sounds as reported.")
    false_alarms_per_hour_int8: Annotated[float, Field(ge=0)] | None = Field(
        description="As a unit reports, per hour of sound without the class; None for pictures."
    )


class Accuracy(Closed):
    """What was measured, on what."""

    metric: Text
    data: Text
    ap_float: Annotated[float, Field(ge=0, le=100)] = Field(description="Mean over the classes below, in per cent.")
    ap_int8: Annotated[float, Field(ge=0, le=100)]
    classes: dict[Label, ClassAccuracy]


class Speed(Closed):
    """One inference on one core."""

    machine: Text
    runtime: Text
    float_ms: Positive
    int8_ms: Positive
    ratio: Positive = Field(description="Median of float over median of 8 bits, measured in turns.")


class Golden(Closed):
    """Inputs and what the model answers to them: a unit asks them of a model, on its own processor, before it uses it."""

    file: Text = Field(description="A NumPy archive, beside the card.")
    sha256: Sha256 = Field(description="Of that file.")
    tolerances: Annotated[dict[Text, Positive], Field(min_length=1)] = Field(
        description="By output tensor: how far an answer may be from what is kept, in the tensor's own unit."
    )
    note: Text = Field(description="What the inputs are, and why the tolerances are what they are.")


class Card(Closed):
    """The card of one version of one model."""

    name: Name
    version: Version
    task: Text
    source: Source
    licence: Licence
    model_file: Text = Field(description="File name, beside the card.")
    sha256: Sha256 = Field(description="Of the model file.")
    size_bytes: Annotated[int, Field(gt=0)]
    quantisation: Quantisation
    input: Annotated[ImageInput | LogMelInput, Field(discriminator="kind")]
    output: Annotated[BoxesOutput | ScoresOutput, Field(discriminator="kind")]
    labels: Annotated[tuple[Label, ...], Field(min_length=1)] = Field(description="In the order of the scores.")
    thresholds: Annotated[dict[Label, Threshold], Field(min_length=1)] = Field(description="By class that Parvis uses.")
    accuracy: Accuracy | None = Field(description="None: not measured yet.")
    speed: Speed | None = Field(description="None: not measured yet.")
    known_failures: Annotated[tuple[Text, ...], Field(min_length=1)]
    golden: Golden | None = Field(default=None, description="Absent: none; a unit then takes the model from no repository.")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("a label stands twice")
        if self.output.scores.shape[-1] != len(self.labels):
            raise ValueError(f"{self.output.scores.shape[-1]} scores, but {len(self.labels)} labels")
        for name, threshold in self.thresholds.items():
            unknown = set(threshold.labels) - set(self.labels)
            if unknown:
                raise ValueError(f"threshold {name!r} names labels that the model has not: {sorted(unknown)}")
        return self
