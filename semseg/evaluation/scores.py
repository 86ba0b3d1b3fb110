"""From pixel counts to scores, in percent: floats, nan where a score is not defined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from semseg.evaluation.confusion import Areas

Absent = Literal["zero", "leave-out"]
"""What becomes of a class that no pixel of the truth has, but some of the prediction: it counts as IoU 0, as in
MMSegmentation, or it is left out of the means. A class in neither is always left out."""


def iou(areas: Areas) -> np.ndarray:
    """Return intersection over union."""
    return _percent(areas.intersect, areas.union)


def recall(areas: Areas) -> np.ndarray:
    """Return the share of the class that was found; MMSegmentation calls it Acc."""
    return _percent(areas.intersect, areas.truth)


def precision(areas: Areas) -> np.ndarray:
    """Return the share of what was taken for the class that is of it."""
    return _percent(areas.intersect, areas.predicted)


def f1(areas: Areas) -> np.ndarray:
    """Return the harmonic mean of precision and recall, which is the Dice score: 2 i / (truth + predicted).

    Where a class exists and is never predicted it is 0; MMSegmentation's Fscore is nan there.
    """
    return _percent(2 * areas.intersect, areas.truth + areas.predicted)


def a_acc(areas: Areas) -> np.ndarray:
    """Return the share of all labelled pixels that are right."""
    return _percent(areas.intersect.sum(-1), areas.truth.sum(-1))


def fw_iou(areas: Areas) -> np.ndarray:
    """Return the mean of the IoU, each class weighted by its share of the labelled pixels."""
    weighted = np.where(areas.truth > 0, areas.truth * np.nan_to_num(iou(areas)), 0.0).sum(-1)
    total = areas.truth.sum(-1)
    return np.divide(weighted, total, out=np.full(np.shape(total), np.nan), where=np.asarray(total) > 0)


def means(areas: Areas, absent: Absent = "zero") -> dict[str, np.ndarray]:
    """Return the headline numbers: aAcc, mIoU, mAcc, mPrecision, mRecall, mF1, fwIoU.

    Args:
        areas: of any number of sets of images: shape (..., num_classes).
        absent: see `Absent`.

    Returns:
        Percent, shape (...).
    """

    def mean(score: Callable[[Areas], np.ndarray]) -> np.ndarray:
        values = score(areas)
        if absent == "leave-out":
            values = np.where(areas.truth > 0, values, np.nan)
        return mean_of_defined(values)

    found = {"aAcc": a_acc(areas), "mIoU": mean(iou), "mAcc": mean(recall)}
    found |= {"mPrecision": mean(precision), "mRecall": found["mAcc"], "mF1": mean(f1), "fwIoU": fw_iou(areas)}
    return found


def counted_classes(areas: Areas, absent: Absent = "zero") -> np.ndarray:
    """Return which classes mIoU is the mean of: bool, shape (num_classes,)."""
    return (areas.truth if absent == "leave-out" else areas.union) > 0


def absent_in_words(areas: Areas, classes: Sequence[str], absent: Absent = "zero") -> str | None:
    """Say which classes the truth does not have, and what becomes of them; None if it has every class.

    `mIoU over 18 of 19 classes (absent: train; wall is absent too, but predicted: IoU 0)`
    """
    counted = counted_classes(areas, absent)
    missing = [
        name for name, area, counts in zip(classes, areas.truth, counted, strict=True) if not area and not counts
    ]
    zero = [name for name, area, counts in zip(classes, areas.truth, counted, strict=True) if not area and counts]
    if not missing and not zero:
        return None
    is_are = "is" if len(zero) == 1 else "are"
    told = [f"absent: {', '.join(missing)}"] if missing else []
    told += [f"{', '.join(zero)} {is_are} absent{' too' if missing else ''}, but predicted: IoU 0"] if zero else []
    return f"mIoU over {int(counted.sum())} of {len(classes)} classes ({'; '.join(told)})"


def mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis without nan; nan where nothing else is."""
    defined = ~np.isnan(values)
    count = defined.sum(-1)
    total = np.where(defined, values, 0.0).sum(-1)
    return np.divide(total, count, out=np.full(np.shape(count), np.nan), where=np.asarray(count) > 0)


def _percent(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return 100 * np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
