"""Confusion counts for parts of an image, such as strips along borders or rows from top to bottom."""

from __future__ import annotations

import numpy as np

from semseg.evaluation.confusion import Areas


def count_by_band(
    band: np.ndarray, num_bands: int, predicted: np.ndarray, target: np.ndarray, num_classes: int, ignore_index: int
) -> np.ndarray:
    """Count the confusion matrix of every band.

    Args:
        band: number of the band of each pixel, integers from 0 to num_bands - 1; a shape that broadcasts to that of
            `target`.
        num_bands: number of bands.
        predicted: train ids, integers, shape (height, width).
        target: train ids as `predicted`, and `ignore_index` for pixels that do not count.
        num_classes: number of train ids.
        ignore_index: value of the target.

    Returns:
        int64, shape (num_bands, num_classes, num_classes + 1); rows are the truth, columns the prediction; the last
        column is for pixels that were predicted as none of the classes.
    """
    side = num_classes + 1
    cells = np.where(target == ignore_index, num_classes, target.astype(np.int64))
    cells += band.astype(np.int64) * side
    cells *= side
    cells += np.minimum(predicted.astype(np.int64), num_classes)
    counts = np.bincount(cells.ravel(), minlength=num_bands * side * side)
    return counts.reshape(num_bands, side, side)[:, :num_classes].astype(np.int64)


def areas_by_band(counts: np.ndarray) -> Areas:
    """Return the areas of the counts of `count_by_band`, shape (num_bands, num_classes)."""
    return Areas(counts.diagonal(0, -2, -1), counts.sum(-1), counts[..., :-1].sum(-2))


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole in percent; nan where `whole` is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    return 100 * np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def plain(values: np.ndarray) -> list | float | None:
    """Convert an array to nested lists of floats for JSON, with None for nan."""
    if np.ndim(values):
        return [plain(value) for value in values]
    return None if np.isnan(values) else float(values)
