"""Measure predictions without ground truth: numbers per image, and comparisons with a reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import rel_entr

PRESENT_SHARE = 1e-3
"""A class with at least this share of the probability mass is expected in an image, even if it is not predicted."""
CLEAR_SHARE = 0.005
"""Differences below this share of the pixels are not reported."""
_NORMAL_95 = 1.96


class Measures(NamedTuple):
    """Measures of a prediction without ground truth; each from 0 to 1.

    Attributes:
        confidence: mean probability of the winning class.
        entropy: mean entropy of the pixels, divided by the logarithm of the number of classes.
        flip_consistency: share of the pixels that keep their class when the image is mirrored.
        score: 1 minus the expected mIoU, see `expected_iou`; high for difficult images.
        shares: share of the pixels of each class in the prediction, shape (num_classes,).
    """

    confidence: float
    entropy: float
    flip_consistency: float
    score: float
    shares: np.ndarray


class ShareDifference(NamedTuple):
    """The mean share of the pixels that a class has in the folder and in the reference, 0 to 1.

    Attributes:
        name: of the class.
        reference: share in the reference.
        folder: share in the folder.
        low, high: 95 % interval of folder - reference; None if neither side has two images.
    """

    name: str
    reference: float
    folder: float
    low: float | None
    high: float | None

    @property
    def difference(self) -> float:
        """Folder - reference."""
        return self.folder - self.reference

    @property
    def is_clear(self) -> bool:
        """Whether the difference is at least `CLEAR_SHARE`, and its interval excludes zero."""
        if self.low is None or self.high is None:
            return False
        return abs(self.difference) >= CLEAR_SHARE and not self.low <= 0 <= self.high


def measure(
    train_ids: np.ndarray, mirrored: np.ndarray, doubt: np.ndarray, entropy: np.ndarray, mass: np.ndarray
) -> Measures:
    """Measure a prediction.

    Args:
        train_ids: uint8, shape (height, width).
        mirrored: as `train_ids`: the prediction of the mirrored image, mirrored back.
        doubt: 1 minus the probability of the winning class, shape (height, width).
        entropy: of each pixel, 0 to 1, shape (height, width).
        mass: sum of the probabilities of each class over the pixels, shape (num_classes,).
    """
    values = expected_iou(train_ids, mirrored, doubt, mass)
    expected = values[np.isfinite(values)].mean()
    return Measures(
        1 - float(doubt.mean(dtype=np.float64)),
        float(entropy.mean(dtype=np.float64)),
        float((train_ids == mirrored).mean()),
        1 - float(expected),
        np.bincount(train_ids.ravel(), minlength=len(mass)) / train_ids.size,
    )


def expected_iou(train_ids: np.ndarray, mirrored: np.ndarray, doubt: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Return the expected IoU of each class: the product of two factors, each 0 to 1.

    The first factor is the expected intersection over the expected union if the probabilities were right (Nowozin
    2014, "Optimal Decisions from Probabilistic Models: The Intersection-over-Union Case"). The intersection is the
    probability mass of the class in the pixels predicted as the class; the union is these pixels, plus the
    probability mass of the class in all other pixels. On data unlike the training data, networks are too confident.
    The second factor corrects this: the IoU between the prediction and that of the mirrored image, because two
    predictions disagree about as often as each of them is wrong (Jiang et al. 2022, arXiv:2106.13799).

    Args:
        train_ids, mirrored, doubt, mass: as in `measure`.

    Returns:
        float64, shape (num_classes,); nan for a class that is in neither prediction and has less than
        `PRESENT_SHARE` of the probability mass.
    """
    num_classes, flat = len(mass), train_ids.ravel()
    count = np.bincount(flat, minlength=num_classes).astype(np.float64)
    inside = count - np.bincount(flat, doubt.ravel().astype(np.float64), minlength=num_classes)
    own = _ratio(inside, count + mass - inside)
    count_mirrored = np.bincount(mirrored.ravel(), minlength=num_classes)
    both = np.bincount(flat[flat == mirrored.ravel()], minlength=num_classes)
    kept = _ratio(both, count + count_mirrored - both)
    is_expected = (count > 0) | (count_mirrored > 0) | (mass >= PRESENT_SHARE * flat.size)
    return np.where(is_expected, np.clip(own, 0, 1) * kept, np.nan)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)


def share_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the Jensen-Shannon distance of class shares: 0 the same, 1 nothing in common.

    It is the square root of the divergence with logarithms to the base 2.

    Args:
        first, second: sum to 1 over the last axis, shape (..., num_classes).
    """
    middle = (first + second) / 2
    divergence = (rel_entr(first, middle) + rel_entr(second, middle)).sum(-1) / (2 * np.log(2))
    return np.sqrt(np.clip(divergence, 0, 1))  # scipy's jensenshannon is nan where rounding makes it negative


def distances_from(shares: np.ndarray, reference: np.ndarray, within: bool = False) -> np.ndarray:
    """Return the distance of the class shares of each image from the mean shares of the reference.

    Args:
        shares: shape (images, num_classes).
        reference: as `shares`.
        within: the images are those of the reference; each is compared with the mean of the others.
    """
    mean = reference.mean(0)
    if within and len(reference) > 1:
        mean = (reference.sum(0) - shares) / (len(reference) - 1)
    return share_distance(shares, mean)


def places_in(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the share of the reference that is smaller than each value; equal values count half."""
    ordered = np.sort(reference)
    below, up_to = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return (below + up_to) / (2 * len(ordered))


def compare_shares(names: Sequence[str], folder: np.ndarray, reference: np.ndarray) -> list[ShareDifference]:
    """Compare the mean class shares of two sets of images.

    Args:
        names: of the classes.
        folder: shape (images, num_classes).
        reference: as `folder`.

    Returns:
        A row per class. The intervals assume that the images are random samples (Welch). If one side has a single
        image, the variance of the other side is used for it, too.
    """
    means = [side.mean(0) for side in (folder, reference)]
    variances = [side.var(0, ddof=1) if len(side) > 1 else None for side in (folder, reference)]
    known = next((variance for variance in reversed(variances) if variance is not None), None)
    rows = []
    for i, name in enumerate(names):
        low = high = None
        if known is not None:
            sides = zip(variances, (folder, reference), strict=True)
            error = sum((known if own is None else own)[i] / len(side) for own, side in sides) ** 0.5
            middle = float(means[0][i] - means[1][i])
            low, high = middle - _NORMAL_95 * error, middle + _NORMAL_95 * error
        rows.append(ShareDifference(name, float(means[1][i]), float(means[0][i]), low, high))
    return rows


def describe_differences(rows: Sequence[ShareDifference]) -> str:
    """Return text such as `more sky (+9.1); less car (-4.0)`, in percentage points; empty without clear differences."""
    clear = sorted((row for row in rows if row.is_clear), key=lambda row: -abs(row.difference))
    more, less = ([row for row in clear if (row.difference > 0) == sign] for sign in (True, False))
    parts = []
    for word, differences in (("more", more), ("less", less)):
        if differences:
            classes = [f"{row.name} ({100 * row.difference:+.1f})" for row in differences[:4]]
            parts.append(f"{word} {', '.join(classes)}")
    return "; ".join(parts)
