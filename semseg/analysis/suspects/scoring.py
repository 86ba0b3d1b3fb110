"""Score regions by what a model thinks of their label.

The score is the mean of -ln p, where p is the probability that the model gives to the given class of a pixel: the
surprise at the label. Northcutt et al. 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels", call p the
self-confidence of a label. Lad and Mueller 2023, "Estimating label quality and errors in semantic segmentation data via
any model", pool it over a picture with a soft minimum, so that a few bad pixels are enough. Here a region is pooled
instead of a picture, and the mean of the logarithm has that effect: a pixel whose label is excluded by the model counts
more than one that it merely doubts.
"""

from __future__ import annotations

import numpy as np

LEAST_PROBABILITY = 1e-4
"""Smaller probabilities count as this one, so no pixel counts for more than 9.2."""


def log_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """Return the natural logarithm, from -9.2 to 0, float32, in the same shape."""
    return np.log(np.maximum(probabilities, np.float32(LEAST_PROBABILITY), dtype=np.float32))


def score_regions(means: np.ndarray, given: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Score regions.

    Args:
        means: means of `log_probabilities` over each region, shape (num_regions, num_classes).
        given: train id of each region in the labels, shape (num_regions,).

    Returns:
        Scores, 0 (the model is certain of the label) to 9.2 (it excludes the label), float64; the suggested class, the
        most probable other one, int64; whether the model prefers it to the given class, bool; all of shape
        (num_regions,).
    """
    rows = np.arange(len(given))
    own = means[rows, given]
    others = means.copy()
    others[rows, given] = -np.inf
    suggested = others.argmax(axis=1)
    return -own, suggested, others[rows, suggested] > own
