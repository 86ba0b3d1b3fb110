"""Fit crops, padding and sliding windows in a config to the scaled pictures of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from mmengine.config import Config

from semseg.config.scaling_steps import (
    Size,
    format_scale,
    keeps_ratio,
    large_sides,
    resizing_step,
    scaled_sizes,
    to_pair,
)
from semseg.config.tree import datasets_of, edited, first_pipeline, type_name, walk
from semseg.datasets.picture_sizes import Picture

_STRIDE = 32  # crops are multiples of the largest stride of common backbones
_SMALLEST_CROP = 64  # below, backbones of stride 32 have a single feature
_MINING = ("OHEMPixelSampler", "OhemCrossEntropy")


def fit_crops(cfg: Config, pictures: Sequence[Picture]) -> list[str]:
    """Make crops, padding and windows as large as the scaled pictures at most. Modifies `cfg`.

    Where it is not known how large the pictures are after scaling, they stay.

    Args:
        cfg: whose scales have been fitted.
        pictures: a sample of those that it reads.

    Returns:
        The changes, as parts of a sentence.
    """
    changes, by_size = [], {}
    model = cfg.model

    def fit(scaled: np.ndarray, step: Mapping) -> dict:
        kind = type_name(step)
        key = "crop_size" if kind.endswith("Crop") else "size" if kind == "Pad" else ""
        if step.get(key) is None:
            return dict(step)
        before = to_pair(step[key])
        after = _fitted_crop(before, scaled)
        by_size[before] = after
        return dict(step) if after == before else {**step, key: after}

    for dataset in datasets_of(cfg, "train_dataloader"):
        scaled = _trained_sizes(cfg, dataset.get("pipeline", []), pictures)
        if scaled is not None:
            dataset["pipeline"] = edited(dataset.get("pipeline", []), partial(fit, scaled))
    changed = {before: after for before, after in by_size.items() if before != after}
    changes += [
        f"crops of {format_scale(after)} (height x width) instead of {format_scale(before)}"
        for before, after in changed.items()
    ]
    preprocessor = model.get("data_preprocessor") or {}
    size, divisor = preprocessor.get("size"), preprocessor.get("size_divisor")
    if size is not None and to_pair(size) in changed:
        preprocessor["size"] = changed[to_pair(size)]
    elif size is not None and changed and _holds(to_pair(size), by_size):  # it pads the crops
        after = max(height for height, _ in by_size.values()), max(width for _, width in by_size.values())
        changes.append(f"model.data_preprocessor.size={format_scale(after)} instead of {format_scale(size)}")
        preprocessor["size"] = after
    elif divisor is not None and (after := changed.get(to_pair(divisor))) is not None:
        preprocessor.update(size=after, size_divisor=None)
        changes.append(f"model.data_preprocessor.size={format_scale(after)} instead of size_divisor={divisor}")
    if len(changed) == 1:
        changes += _fit_kept_pixels(cfg, *next(iter(changed.items())))
    return changes + _fit_window(model.get("test_cfg") or {}, _tested_sizes(cfg, pictures))


def _holds(size: Size, crops: Iterable[Size]) -> bool:
    return all(size[0] >= height and size[1] >= width for height, width in crops)


def _trained_sizes(cfg: Config, steps: Any, pictures: Sequence[Picture]) -> np.ndarray | None:
    """Return heights and widths of pictures before the crop, shape (n, 2); None if they are not known."""
    step = resizing_step(steps)
    if step is not None and type_name(step) == "RandomChoiceResize" and keeps_ratio(step):
        return _tested_sizes(cfg, pictures)  # its scales lie around that of the test
    return scaled_sizes(step, pictures)


def _tested_sizes(cfg: Config, pictures: Sequence[Picture]) -> np.ndarray | None:
    """Return heights and widths of pictures in a validation, shape (n, 2); None if they are not known."""
    return scaled_sizes(resizing_step(first_pipeline(cfg, "val_dataloader", "test_dataloader")), pictures)


def _fit_window(test_cfg: Any, scaled: np.ndarray | None) -> list[str]:
    if test_cfg.get("mode") != "slide" or scaled is None:
        return []
    window = to_pair(test_cfg["crop_size"])
    fitted = _fitted_crop(window, scaled)
    if fitted == window:
        return []
    stride = tuple(
        max(1, side * new // old) for side, new, old in zip(to_pair(test_cfg["stride"]), fitted, window, strict=True)
    )
    test_cfg.update(crop_size=fitted, stride=stride)
    sizes = f"{format_scale(fitted)} with stride {format_scale(stride)}"
    return [f"windows of {sizes} in tests instead of {format_scale(window)}"]


def _fit_kept_pixels(cfg: Config, before: Size, after: Size) -> list[str]:
    """Keep the share of pixels that hard example mining keeps: `min_kept` is a number of pixels. Modifies `cfg`."""
    changes = []
    share = after[0] * after[1] / (before[0] * before[1])
    for key, part in walk(cfg.model, "model"):
        if isinstance(part, dict) and type_name(part) in _MINING and "min_kept" in part:
            kept = max(1, round(part["min_kept"] * share))
            changes.append(f"{key}.min_kept={kept} instead of {part['min_kept']}")
            part["min_kept"] = kept
    return changes


def _fitted_crop(crop: Size, scaled: np.ndarray) -> Size:
    """Return a crop that is not larger than the pictures.

    Args:
        crop: height, width.
        scaled: heights and widths of the pictures, shape (n, 2).
    """
    fitted = []
    for side, largest in zip(crop, large_sides(scaled), strict=True):
        odd = side % 2  # 769 = 24 * 32 + 1: with align_corners, the corners of features and pixels coincide
        needed = -(-(max(largest, _SMALLEST_CROP) - odd) // _STRIDE) * _STRIDE + odd
        fitted.append(min(side, int(needed)))
    return fitted[0], fitted[1]
