"""The peer: supervision's usual pipeline around the same detector, run by a Python of its own that knows nothing of Parvis.

A frame is fitted, the model is run, boxes are decoded, followed by ByteTrack, and put to a polygon or a line. Takes one JSON object (see
:mod:`tests.bench.peer_bench`), prints one.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

import cv2
import numpy as np
import onnxruntime
import supervision as sv

#: The weakest box that ByteTrack looks at.
WEAK_SCORE = 0.1


class Detector:
    """The shipped model, one thread, decoded as its card says."""

    def __init__(self, card: dict[str, Any], model: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._card = card
        _, _, self._height, self._width = card["input"]["shape"]
        # ByteTrack begins tracks with strong boxes and prolongs them with weak ones: it is given both.
        self._limits = np.full(len(card["labels"]), np.inf, np.float32)
        self._limits[[card["labels"].index(label) for each in card["thresholds"].values() for label in each["labels"]]] = WEAK_SCORE
        centres = []
        for stride in card["output"]["strides"]:
            y, x = np.mgrid[0 : self._height // stride, 0 : self._width // stride]
            centres.append((np.stack([x.ravel(), y.ravel()], 1) + card["output"]["cell_centre"]) * stride)
        self._centres = np.concatenate(centres).astype(np.float32)

    def __call__(self, image: np.ndarray) -> sv.Detections:
        rows, columns = image.shape[:2]
        scale = min(self._width / columns, self._height / rows)
        width, height = round(columns * scale), round(rows * scale)
        left, top = (self._width - width) // 2, (self._height - height) // 2
        fitted = np.full((self._height, self._width, 3), self._card["input"]["pad_value"], np.uint8)
        fitted[top : top + height, left : left + width] = cv2.resize(image, (width, height))
        tensor = fitted.transpose(2, 0, 1)[None].astype(np.float32)
        scores, sides = self._session.run(
            [self._card["output"]["scores"]["name"], self._card["output"]["boxes"]["name"]], {self._card["input"]["name"]: tensor}
        )
        classes = scores[0].argmax(1)
        best = scores[0][np.arange(len(classes)), classes]
        kept = best >= self._limits[classes]
        centres, sides = self._centres[kept], sides[0][kept]
        boxes = (np.concatenate([centres - sides[:, :2], centres + sides[:, 2:]], 1) - [left, top, left, top]) / scale
        found = sv.Detections(xyxy=boxes.astype(np.float32), confidence=best[kept], class_id=classes[kept])
        return found.with_nms(self._card["output"]["nms_iou"])


def main(task: dict[str, Any]) -> dict[str, Any]:
    """Runs the pipeline over a clip."""
    cv2.setNumThreads(1)
    detect = Detector(task["card"], task["model"])
    capture = cv2.VideoCapture(task["clip"])
    rate_hz = capture.get(cv2.CAP_PROP_FPS)
    analysed_hz = task["analysed_hz"] or rate_hz
    tracker = sv.ByteTrack(frame_rate=round(analysed_hz))
    zone = sv.PolygonZone(np.array(task["zone"])) if task["zone"] else None
    line = sv.LineZone(*(sv.Point(*point) for point in task["line"]), triggering_anchors=[sv.Position.CENTER]) if task["line"] else None
    visits: list[float] = []
    seen: set[int] = set()
    occupied_s, runs = -np.inf, []
    index, analysed, slot = 0, 0, -1
    begun_s = time.process_time()
    while capture.grab() and index / rate_hz < task["until_s"]:
        time_s = index / rate_hz
        index += 1
        if int(time_s * analysed_hz + 1e-6) == slot:
            continue
        slot = int(time_s * analysed_hz + 1e-6)
        analysed += 1
        found = tracker.update_with_detections(detect(capture.retrieve()[1]))
        if zone is not None:
            inside = found[zone.trigger(found)]
            visits += [time_s for number in inside.tracker_id if number not in seen]
            seen.update(int(number) for number in inside.tracker_id)
            if len(inside):
                if time_s - occupied_s > task["joined_s"]:
                    runs.append(time_s)
                occupied_s = time_s
        if line is not None:
            line.trigger(found)
    spent_s = time.process_time() - begun_s
    return {
        "cpu_s": spent_s,
        "analysed": analysed,
        "seconds": index / rate_hz,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "visits": visits,
        "occupied": runs,
        "directions": [line.in_count, line.out_count] if line is not None else [],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.loads(sys.argv[1]))) + "\n")
