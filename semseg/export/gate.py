"""The comparison with PyTorch that an exported file has to pass before it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import torch

from semseg.evaluation import scores
from semseg.evaluation.bootstrap import paired_intervals
from semseg.evaluation.confusion import Areas, Confusions, count_pixels, entries_of
from semseg.inference.predictor import Predictor
from semseg.visualization.drawing import Sample

REQUIRED = {"fp32": 0.999, "fp16": 0.995, "bf16": 0.99, "int8": 0.99}
"""Smallest share of the pixels with the same class as in PyTorch, by precision."""
MOST_LOST = 0.6
"""Points of mIoU that a file in int8 may lose on labelled images; they replace its REQUIRED."""


class Verdict(NamedTuple):
    """What a comparison found.

    Attributes:
        passed: whether the file may be kept.
        sentence: what was measured, and what was expected if it was not passed.
        agreement: share of the pixels with the same class as PyTorch's, of each image.
        facts: for the description in the file; plain data.
    """

    passed: bool
    sentence: str
    agreement: list[float]
    facts: dict[str, Any]


def judge(
    predictor: Predictor, run: Callable[[np.ndarray], np.ndarray], pictures: Iterable[Sample], precision: str
) -> Verdict:
    """Compare the predictions of a file with those of PyTorch.

    A file passes if enough pixels have the same class (REQUIRED). In int8, rounding changes more pixels, most of them
    where the model is wrong anyway: if the images have labels, what counts is that mIoU falls by at most MOST_LOST.

    Args:
        predictor: the model in PyTorch, in fp32.
        run: predicts an image with the file.
        pictures: at least one; 255 in the train ids does not count.
        precision: of the file.
    """
    num_classes = len(predictor.classes)
    entries: tuple[dict[str, tuple], dict[str, tuple]] = ({}, {})
    agreement, num_pixels = [], []
    for number, picture in enumerate(pictures):
        predictions = predictor(picture.image), run(picture.image)
        agreement.append(float((predictions[0] == predictions[1]).mean()))
        num_pixels.append(predictions[0].size)
        target = torch.tensor(picture.train_ids)  # a copy: the array may be read-only
        for counted, predicted in zip(entries, predictions, strict=True):
            matrix = count_pixels(torch.from_numpy(np.ascontiguousarray(predicted)), target, num_classes)
            counted[f"{number:09}"] = (target.shape, *entries_of(matrix.numpy()))
    first, second = (Confusions.of(counted, num_classes).areas() for counted in entries)
    if precision == "int8" and first.truth.any():
        return _judge_scores(first, second, agreement)
    equal, required = float(np.average(agreement, weights=num_pixels)), REQUIRED[precision]
    sentence = f"it agrees with PyTorch in {100 * equal:.2f} % of the pixels of {len(agreement)} images"
    passed = equal >= required
    return Verdict(
        passed,
        sentence if passed else f"{sentence}, expected {100 * required:g} % in {precision}",
        agreement,
        {"passed": passed, "equal_percent": round(100 * equal, 3), "images": len(agreement)},
    )


def _judge_scores(first: Areas, second: Areas, agreement: list[float]) -> Verdict:
    """Judge by the mIoU of PyTorch and of the file; areas are of each image."""

    def m_iou(areas: Areas) -> dict[str, np.ndarray]:
        return {"mIoU": scores.means(areas)["mIoU"]}

    before, after = (float(m_iou(areas.sum())["mIoU"]) for areas in (first, second))
    low, high = (float(end) for end in paired_intervals(first, second, m_iou)["mIoU"])
    passed = after >= before - MOST_LOST
    has_interval = len(agreement) > 1 and np.isfinite([low, high]).all()
    interval = f", 95 % interval {low:+.2f} to {high:+.2f}" if has_interval else ""
    sentence = (
        f"mIoU {after:.2f} %, with PyTorch {before:.2f} % (difference {after - before:+.2f} points{interval}), on"
        f" {len(agreement)} labelled images"
    )
    return Verdict(
        passed,
        sentence if passed else f"{sentence}; at most {MOST_LOST} points may be lost",
        agreement,
        {
            "passed": passed,
            "mIoU": round(after, 3),
            "mIoU_torch": round(before, 3),
            "interval": [round(low, 3), round(high, 3)] if has_interval else None,
            "equal_percent": round(100 * float(np.mean(agreement)), 3),
            "images": len(agreement),
        },
    )
