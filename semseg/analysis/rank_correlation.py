"""Compare two rankings of images."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from scipy.stats import ConstantInputWarning, pearsonr, rankdata

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


def spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation over the last axis, nan where all values of one are equal.

    It is Pearson's correlation of the ranks; unlike `scipy.stats.spearmanr`, this takes many samples at once.

    Args:
        first, second: shape (..., images), three or more images; equal values share the mean of their ranks.

    Returns:
        float64, shape (...).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantInputWarning)  # the result is nan then
        return pearsonr(rankdata(first, axis=-1), rankdata(second, axis=-1), axis=-1).statistic


def rank_correlation(first: np.ndarray, second: np.ndarray, seed: int = 0) -> RankCorrelation:
    """Return Spearman's rank correlation of two values per image, with a bootstrap interval over the images.

    Args:
        first, second: shape (images,), finite.
        seed: of the draws.
    """
    num_images = len(first)
    value = float(spearman(first, second)) if num_images >= MIN_IMAGES else float("nan")
    if not np.isfinite(value):
        return RankCorrelation(None, None, None, num_images)
    draws = np.random.default_rng(seed).integers(num_images, size=(NUM_DRAWS, num_images))
    low, high = np.nanpercentile(spearman(first[draws], second[draws]), (2.5, 97.5))
    return RankCorrelation(value, float(low), float(high), num_images)
