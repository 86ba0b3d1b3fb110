"""Confidence intervals of scores: how much a score depends on the choice of the test images.

The bootstrap draws as many images as there are, with replacement, and computes the score of the drawn images; the
interval holds the middle 95 % of the scores of many such draws (Efron 1979, percentile method). It does not tell how
much a score depends on the seed of the training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from semseg.evaluation.confusion import Areas

NUM_DRAWS = 1000
_CHUNK = 100

Scores = dict[str, np.ndarray]


def intervals(
    areas: Areas, scores: Callable[[Areas], Scores], num_draws: int = NUM_DRAWS, seed: int = 0
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the 95 % interval of each score.

    Args:
        areas: per image, shape (images, num_classes); at least two images.
        scores: computes scores of shape (draws, ...) from areas of shape (draws, num_classes).
        num_draws: number of draws.
        seed: of the draws.

    Returns:
        By score, its lower and upper end; nan where the score is undefined in half of the draws or more.
    """
    return {name: _interval(values) for name, values in _resampled_scores(areas, scores, num_draws, seed).items()}


def paired_intervals(
    first: Areas, second: Areas, scores: Callable[[Areas], Scores], num_draws: int = NUM_DRAWS, seed: int = 0
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the 95 % interval of the difference second - first of each score, with the same draws for both.

    Args:
        first, second: of the same images, in the same order.
        scores, num_draws, seed: as of `intervals`.
    """
    before, after = (_resampled_scores(areas, scores, num_draws, seed) for areas in (first, second))
    return {name: _interval(after[name] - before[name]) for name in before}


def unpaired_intervals(
    first: Areas, second: Areas, scores: Callable[[Areas], Scores], num_draws: int = NUM_DRAWS, seed: int = 0
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the 95 % interval of the difference second - first of each score, of different images.

    Args:
        first, second: of two sets of images, each of two or more; they are drawn independently.
        scores, num_draws, seed: as of `intervals`.
    """
    before = _resampled_scores(first, scores, num_draws, seed)
    after = _resampled_scores(second, scores, num_draws, seed + 1)
    return {name: _interval(after[name] - before[name]) for name in before}


def _resampled_scores(areas: Areas, scores: Callable[[Areas], Scores], num_draws: int, seed: int) -> Scores:
    parts: list[Scores] = [scores(sample) for sample in _samples(areas, num_draws, seed)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _samples(areas: Areas, num_draws: int, seed: int) -> Iterator[Areas]:
    """Yield the areas of draws, in chunks; they are exact, as float64 holds all integers below 2**53."""
    random = np.random.default_rng(seed)
    num_images = len(areas.truth)
    table = np.concatenate(areas, axis=1).astype(np.float64)
    for start in range(0, num_draws, _CHUNK):
        times = random.multinomial(num_images, np.full(num_images, 1 / num_images), min(_CHUNK, num_draws - start))
        yield Areas(*np.split((times @ table).astype(np.int64), 3, axis=1))


def _interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the 2.5 and 97.5 percentiles over the first axis, without undefined values."""
    enough = np.isfinite(values).mean(0) > 0.5
    low, high = np.full(np.shape(enough), np.nan), np.full(np.shape(enough), np.nan)
    if np.any(enough):
        low[enough], high[enough] = np.nanpercentile(values[..., enough], (2.5, 97.5), axis=0)
    return low, high
