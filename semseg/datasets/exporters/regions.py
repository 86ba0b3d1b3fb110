"""The classes of a mask and their boxes, for all formats."""

from __future__ import annotations

import numpy as np

from semseg.labels import IGNORED

Box = tuple[int, int, int, int]  # left, top, width, height


def present_classes(train_ids: np.ndarray) -> list[int]:
    """Return the train ids that occur, in order, without 255 (not labelled)."""
    counts = np.bincount(train_ids.ravel(), minlength=IGNORED + 1)
    return [int(train_id) for train_id in np.flatnonzero(counts) if train_id != IGNORED]


def bounding_box(mask: np.ndarray) -> Box:
    """Return the smallest box with all pixels of a mask: bool, shape (height, width), not empty."""
    xs, ys = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return int(xs[0]), int(ys[0]), int(xs[-1] - xs[0] + 1), int(ys[-1] - ys[0] + 1)


def crop(mask: np.ndarray, box: Box) -> np.ndarray:
    """Return the part of a mask in a box."""
    left, top, width, height = box
    return mask[top : top + height, left : left + width]


def run_lengths(values: np.ndarray) -> np.ndarray:
    """Return the lengths of runs of equal values, int64; the first one is of False, and may be 0.

    Args:
        values: bool, one axis, not empty.
    """
    edges = np.flatnonzero(values[1:] != values[:-1]) + 1
    bounds = np.concatenate([[0, 0] if values[0] else [0], edges, [len(values)]])
    return np.diff(bounds)
