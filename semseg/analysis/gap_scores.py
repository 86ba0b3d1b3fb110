"""What a model thinks of its own prediction, without any truth: numbers per image, and against a reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

PRESENT_SHARE = 1e-3
"""Of the pixels: a class that the probabilities give as much is expected in an image, predicted or not."""
CLEAR_SHARE = 0.005
"""Of the pixels: a smaller difference of a class is not worth a word."""
_NORMAL_95 = 1.96


class Measures(NamedTuple):
    """What can be said of an image without its truth; shares of 1.

    Attributes:
        confidence: mean probability of the winning class.
        entropy: mean of the entropy of the pixels, each in natural logarithms over that of the number of classes.
        flip_consistency: pixels that keep their class when the image is mirrored.
        score: how much of mIoU is expected to be missing, see `expected_iou`: high is hard.
        shares: of each class in the prediction, shape (num_classes,).
    """

    confidence: float
    entropy: float
    flip_consistency: float
    score: float
    shares: np.ndarray


class ShareDifference(NamedTuple):
    """How much of the pictures one class is, mean over images, shares of 1.

    Attributes:
        name: of the class.
        reference: there.
        folder: here.
        low, high: 95 % interval of folder - reference; None without two images on either side.
    """

    name: str
    reference: float
    folder: float
    low: float | None
    high: float | None

    @property
    def difference(self) -> float:
        return self.folder - self.reference

    @property
    def is_clear(self) -> bool:
        """Whether it is large, and larger than the choice of the images explains."""
        return abs(self.difference) >= CLEAR_SHARE and self.low is not None and not self.low <= 0 <= self.high


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
    """Return the IoU that each class is expected to have: two factors, each 0 to 1.

    The first is the expected intersection over the expected union if the probabilities were right (Nowozin 2014,
    "Optimal Decisions from Probabilistic Models: The Intersection-over-Union Case"): pixels taken for the class, each
    by its probability, over those pixels and what the probabilities give the class elsewhere. Networks are too sure
    far from what they learnt, so the second is the IoU between the prediction and that of the mirrored image: two
    predictions disagree about as much as each of them is wrong (Jiang et al. 2022, arXiv:2106.13799).

    Args:
        train_ids, mirrored, doubt, mass: as of `measure`.

    Returns:
        float64, shape (num_classes,); nan for a class that is in neither prediction and has less than
        `PRESENT_SHARE` of the probabilities.
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
    divergence = 0.0
    for one in (first, second):
        terms = np.where(one > 0, one * np.log2(np.where(one > 0, one, 1) / np.where(middle > 0, middle, 1)), 0)
        divergence = divergence + terms.sum(-1) / 2
    return np.sqrt(np.clip(divergence, 0, 1))


def distances_from(shares: np.ndarray, reference: np.ndarray, within: bool = False) -> np.ndarray:
    """Return the distance of the class shares of each image from the mean of the reference.

    Args:
        shares: shape (images, num_classes).
        reference: as `shares`.
        within: the images are those of the reference: each is compared with the mean of the others.
    """
    mean = reference.mean(0)
    if within and len(reference) > 1:
        mean = (reference.sum(0) - shares) / (len(reference) - 1)
    return share_distance(shares, mean)


def places_in(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return where values lie in a reference: the share of it that is smaller, equal ones counted half."""
    ordered = np.sort(reference)
    below, up_to = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return (below + up_to) / (2 * len(ordered))


def compare_shares(names: Sequence[str], folder: np.ndarray, reference: np.ndarray) -> list[ShareDifference]:
    """Compare how much of the pictures each class is.

    Args:
        names: of the classes.
        folder: shape (images, num_classes).
        reference: as `folder`.

    Returns:
        A row per class; the intervals take the images for drawn by chance (Welch). With one image in the folder they
        are those of single images of the reference.
    """
    means = [side.mean(0) for side in (folder, reference)]
    spreads = [side.var(0, ddof=1) if len(side) > 1 else None for side in (folder, reference)]
    known = next((spread for spread in reversed(spreads) if spread is not None), None)
    rows = []
    for i, name in enumerate(names):
        low = high = None
        if known is not None:
            sides = zip(spreads, (folder, reference), strict=True)
            error = sum((known if s is None else s)[i] / len(side) for s, side in sides) ** 0.5
            middle = float(means[0][i] - means[1][i])
            low, high = middle - _NORMAL_95 * error, middle + _NORMAL_95 * error
        rows.append(ShareDifference(name, float(means[1][i]), float(means[0][i]), low, high))
    return rows


def difference_in_words(rows: Sequence[ShareDifference]) -> str:
    """Return `more sky (+9.1); less car (-4.0)`, in points of a percent; empty if nothing is clear."""
    clear = sorted((row for row in rows if row.is_clear), key=lambda row: -abs(row.difference))
    more, less = ([row for row in clear if (row.difference > 0) == sign] for sign in (True, False))
    parts = []
    for word, some in (("more", more), ("less", less)):
        if some:
            named = [f"{row.name} ({100 * row.difference:+.1f})" for row in some[:4]]
            parts.append(f"{word} {', '.join(named)}")
    return "; ".join(parts)
