"""Compare two rankings of images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

NUM_DRAWS = 1000
MIN_IMAGES = 3
"""With fewer images, a correlation means nothing."""


class RankCorrelation(NamedTuple):
    """Spearman's rank correlation with its bootstrap interval.

    Attributes:
        value: -1 to 1; None where it is not defined.
        low, high: 95 % interval, over draws of images; None if `value` is None.
        num_images: number of images.
    """

    value: float | None
    low: float | None
    high: float | None
    num_images: int


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Return Spearman's rank correlation, nan where all values of one are equal.

    Args:
        first, second: shape (images,); equal values share the mean of their ranks.
    """
    a, b = (_ranks(values) - (len(values) + 1) / 2 for values in (first, second))
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale else float("nan")


def rank_correlation(first: np.ndarray, second: np.ndarray, seed: int = 0) -> RankCorrelation:
    """Return Spearman's rank correlation of two values per image, with a bootstrap interval over the images.

    Args:
        first, second: shape (images,), finite.
        seed: of the draws.
    """
    num_images = len(first)
    value = spearman(first, second) if num_images >= MIN_IMAGES else float("nan")
    if not np.isfinite(value):
        return RankCorrelation(None, None, None, num_images)
    draws = np.random.default_rng(seed).integers(num_images, size=(NUM_DRAWS, num_images))
    values = [spearman(first[draw], second[draw]) for draw in draws]
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return RankCorrelation(value, float(low), float(high), num_images)


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]
