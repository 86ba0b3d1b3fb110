"""Confusion counts of the parts of an image, such as strips along borders or rows from top to bottom."""

from __future__ import annotations

import numpy as np

from semseg.evaluation.confusion import Areas


def count_by_band(
    band: np.ndarray, num_bands: int, predicted: np.ndarray, target: np.ndarray, num_classes: int, ignore_index: int
) -> np.ndarray:
    """Count how often each class was taken for each, in every band.

    Args:
        band: number of the band of each pixel, integers from 0 to num_bands - 1; fits the shape of `target`.
        num_bands: how many.
        predicted: train ids, integers, shape (height, width).
        target: as `predicted`, and `ignore_index` where nothing counts.
        num_classes: of the train ids.
        ignore_index: of the target.

    Returns:
        int64, shape (num_bands, num_classes, num_classes + 1); rows are the truth, columns the prediction, the
        last one for pixels that were taken for none of the classes.
    """
    side = num_classes + 1
    cells = np.where(target == ignore_index, num_classes, target.astype(np.int64))
    cells += band.astype(np.int64) * side
    cells *= side
    cells += np.minimum(predicted.astype(np.int64), num_classes)
    counts = np.bincount(cells.ravel(), minlength=num_bands * side * side)
    return counts.reshape(num_bands, side, side)[:, :num_classes].astype(np.int64)


def areas_by_band(counts: np.ndarray) -> Areas:
    """Return the areas of what `count_by_band` counted, shape (num_bands, num_classes)."""
    return Areas(counts.diagonal(0, -2, -1), counts.sum(-1), counts[..., :-1].sum(-2))


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole in percent; nan where the whole is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    return 100 * np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def plain(values: np.ndarray) -> list | float | None:
    """Return floats that JSON knows, nested as the array is: None for nan."""
    if np.ndim(values):
        return [plain(value) for value in values]
    return None if np.isnan(values) else float(values)
