"""Compute scores from pixel counts: floats in percent, nan where a score is not defined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from semseg.evaluation.confusion import Areas

Absent = Literal["zero", "leave-out"]
"""How a class counts that is in the prediction but not in the truth: as IoU 0, like in MMSegmentation, or not at all.
A class that is in neither never counts."""


def iou(areas: Areas) -> np.ndarray:
    """Return intersection over union."""
    return _percent(areas.intersect, areas.union)


def recall(areas: Areas) -> np.ndarray:
    """Return the share of the class that is predicted correctly; MMSegmentation calls it Acc."""
    return _percent(areas.intersect, areas.truth)


def precision(areas: Areas) -> np.ndarray:
    """Return the share of the pixels predicted as the class that are correct."""
    return _percent(areas.intersect, areas.predicted)


def f1(areas: Areas) -> np.ndarray:
    """Return the harmonic mean of precision and recall, which is the Dice score: 2 i / (truth + predicted).

    It is 0 if a class is in the truth and never predicted; MMSegmentation's Fscore is nan then.
    """
    return _percent(2 * areas.intersect, areas.truth + areas.predicted)


def a_acc(areas: Areas) -> np.ndarray:
    """Return the share of all labelled pixels that are predicted correctly."""
    return _percent(areas.intersect.sum(-1), areas.truth.sum(-1))


def fw_iou(areas: Areas) -> np.ndarray:
    """Return the mean of the IoU, each class weighted by its share of the labelled pixels."""
    weighted = np.where(areas.truth > 0, areas.truth * np.nan_to_num(iou(areas)), 0.0).sum(-1)
    total = areas.truth.sum(-1)
    return np.divide(weighted, total, out=np.full(np.shape(total), np.nan), where=np.asarray(total) > 0)


def means(areas: Areas, absent: Absent = "zero") -> dict[str, np.ndarray]:
    """Return the headline numbers: aAcc, mIoU, mAcc, mPrecision, mRecall, mF1, fwIoU.

    Args:
        areas: pixels of one or more sets of images, shape (..., num_classes).
        absent: see `Absent`.

    Returns:
        Percent, shape (...).
    """

    def mean(score: Callable[[Areas], np.ndarray]) -> np.ndarray:
        values = score(areas)
        if absent == "leave-out":
            values = np.where(areas.truth > 0, values, np.nan)
        return mean_of_defined(values)

    m_acc = mean(recall)
    return {
        "aAcc": a_acc(areas),
        "mIoU": mean(iou),
        "mAcc": m_acc,
        "mPrecision": mean(precision),
        "mRecall": m_acc,
        "mF1": mean(f1),
        "fwIoU": fw_iou(areas),
    }


def counted_classes(areas: Areas, absent: Absent = "zero") -> np.ndarray:
    """Return which classes count in mIoU: bool, shape (num_classes,)."""
    return (areas.truth if absent == "leave-out" else areas.union) > 0


def describe_absent(areas: Areas, classes: Sequence[str], absent: Absent = "zero") -> str | None:
    """Describe which classes are not in the truth, and how they count; None if all classes are in the truth.

    `mIoU over 18 of 19 classes (absent: train; wall is absent too, but predicted: IoU 0)`
    """
    counted = counted_classes(areas, absent)
    is_absent = areas.truth == 0
    not_counted = [name for name, selected in zip(classes, is_absent & ~counted, strict=True) if selected]
    zero = [name for name, selected in zip(classes, is_absent & counted, strict=True) if selected]
    if not not_counted and not zero:
        return None
    is_are = "is" if len(zero) == 1 else "are"
    parts = [f"absent: {', '.join(not_counted)}"] if not_counted else []
    if zero:
        parts.append(f"{', '.join(zero)} {is_are} absent{' too' if not_counted else ''}, but predicted: IoU 0")
    return f"mIoU over {int(counted.sum())} of {len(classes)} classes ({'; '.join(parts)})"


def mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis without nan; nan where all values are nan."""
    defined = ~np.isnan(values)
    count = defined.sum(-1)
    total = np.where(defined, values, 0.0).sum(-1)
    return np.divide(total, count, out=np.full(np.shape(count), np.nan), where=np.asarray(count) > 0)


def _percent(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return 100 * np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
