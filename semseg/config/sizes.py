"""Fit the sizes in a config to the pictures of another data set: scales, crops, padding, sliding windows.

The sizes in a config belong to its own data set: a config for Cityscapes scales pictures to 2048x1024 and crops
512x1024. On pictures of 480x360, that would enlarge every picture 2.8 times, and cost 8 times the computation. The
rules are:

- Pictures are not enlarged. If a step would enlarge nearly all of them, its scale is divided by that factor, and most
  pictures keep their size. Random factors, such as 0.5 to 2, stay.
- Pictures that a step makes smaller are made smaller, as before: this bounds memory and time.
- A crop, and a sliding window, is at most as large as the pictures after scaling, rounded up to what networks divide.
- Models that accept only one size, or need a large one, keep all sizes of the config.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.config import Config

from semseg.config.scaling_steps import (
    Size,
    divided,
    edited,
    enlargement,
    format_scale,
    is_scaling,
    large_sides,
    scaled_sizes,
    scaling_step,
    to_pair,
)
from semseg.config.tree import inner_datasets, type_name, walk
from semseg.datasets.picture_sizes import Picture

_STRIDE = 32  # crops are multiples of the largest stride of common backbones
_SMALLEST_CROP = 64  # below, backbones of stride 32 have a single feature
_ENLARGED = 1.05  # a step that enlarges by less is left as it is
_NOTABLY_SMALLER = 0.8  # pictures that are scaled by less are reported
_FIXED = {  # types that keep all sizes of the config, and why
    "BEiT": "its relative positions are made for one size",
    "MAE": "its positions are made for one size",
    "LRASPPHead": "it pools 49x49 features",
}
_MINING = ("OHEMPixelSampler", "OhemCrossEntropy")
_LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


def fit_sizes(cfg: Config, pictures: Sequence[Picture]) -> list[str]:
    """Fit scales, crops, padding and windows of a config to the pictures of its data. Modifies `cfg`.

    Args:
        cfg: whose pipelines read the pictures.
        pictures: a sample of those of the training; empty: nothing is changed.

    Returns:
        What was changed, or is worth knowing, one sentence each.
    """
    if not pictures:
        return []
    name = _describe_sizes(pictures)
    factor = enlargement(_evaluation_scale(cfg), pictures)
    notes: list[str] = []
    if factor is not None and factor < _NOTABLY_SMALLER:
        notes = [
            f"pictures of {name} are scaled by {factor:.2g}, to the scale of the config {_scale_of(cfg)}; for small"
            " objects, set a larger scale in the pipelines, or cut the pictures into tiles"
        ]
    for key, kind in _fixed_parts(cfg):
        if factor is not None and factor > _ENLARGED:
            notes = [f"pictures of {name} are enlarged {factor:.2g} times, as {key} ({kind}) needs it: {_FIXED[kind]}"]
        return notes
    notes += _scale_tests_alike(cfg)
    changes: list[str] = []
    for loader in _LOADERS:
        for dataset in inner_datasets(cfg[loader].dataset) if cfg.get(loader) is not None else ():
            dataset["pipeline"], fitted = _fit_scales(dataset.get("pipeline", []), pictures, factor)
            changes += fitted
    if changes:
        notes.append(f"pictures of {name} are not enlarged: {'; '.join(dict.fromkeys(changes))}")
    changes = _fit_crops(cfg, pictures)
    if changes:
        notes.append(f"no larger than the pictures: {'; '.join(changes)}")
    return notes


def _scale_tests_alike(cfg: Config) -> list[str]:
    """Scale in tests as in validations: some configs test on another set, with pictures of another size."""
    steps = [
        scaling_step(inner_datasets(cfg[name].dataset)[0].get("pipeline", [])) if cfg.get(name) is not None else None
        for name in ("val_dataloader", "test_dataloader")
    ]
    val, test = steps
    if val is None or test is None or type_name(val) != type_name(test) or val["scale"] == test["scale"]:
        return []
    for dataset in inner_datasets(cfg.test_dataloader.dataset):
        dataset["pipeline"] = edited(
            dataset["pipeline"], lambda step: {**step, "scale": val["scale"]} if is_scaling(step) else dict(step)
        )
    return [
        f"tests use the scale of the validation, {format_scale(val['scale'])} instead of {format_scale(test['scale'])}"
    ]


def _fit_scales(steps: Any, pictures: Sequence[Picture], test_factor: float | None) -> tuple[Any, list[str]]:
    """Return a pipeline that enlarges no picture, and its changes.

    Args:
        steps: of a pipeline.
        pictures: that it reads.
        test_factor: by which the test scales pictures; for steps that choose a scale from a list.
    """
    changes = []

    def fit(step: Mapping) -> dict:
        is_choice = type_name(step) == "RandomChoiceResize" and step.get("scales")
        factor = (test_factor if is_choice else enlargement(step, pictures)) or 1
        if factor <= _ENLARGED:
            return dict(step)
        key = "scales" if is_choice else "scale"
        fitted = divided(step[key], factor)
        changes.append(f"{key} {format_scale(fitted)} instead of {format_scale(step[key])} ({factor:.2g} times larger)")
        more = {"max_size": divided(step["max_size"], factor)} if "max_size" in step else {}
        return {**step, key: fitted, **more}

    return edited(steps, fit), changes


def _fit_crops(cfg: Config, pictures: Sequence[Picture]) -> list[str]:
    """Make crops, padding and windows as large as the scaled pictures at most. Modifies `cfg`; returns the changes."""
    changes, by_size = [], {}
    loader, model = cfg.get("train_dataloader"), cfg.model

    def fit(step: Mapping) -> dict:
        kind = type_name(step)
        key = "crop_size" if kind.endswith("Crop") else "size" if kind == "Pad" else ""
        if step.get(key) is None:
            return dict(step)
        before = to_pair(step[key])
        after = _fitted_crop(before, scaled)
        by_size[before] = after
        return dict(step) if after == before else {**step, key: after}

    for dataset in inner_datasets(loader.dataset) if loader is not None else ():
        scaled = scaled_sizes(scaling_step(dataset.get("pipeline", [])) or _evaluation_scale(cfg), pictures)
        dataset["pipeline"] = edited(dataset.get("pipeline", []), fit)
    changed = {before: after for before, after in by_size.items() if before != after}
    changes += [
        f"crops of {format_scale(after)} (height x width) instead of {format_scale(before)}"
        for before, after in changed.items()
    ]
    preprocessor = model.get("data_preprocessor") or {}
    size, divisor = preprocessor.get("size"), preprocessor.get("size_divisor")
    if size is not None and to_pair(size) in changed:
        preprocessor["size"] = changed[to_pair(size)]
    elif divisor is not None and (after := changed.get(to_pair(divisor))) is not None:
        preprocessor.update(size=after, size_divisor=None)
        changes.append(f"model.data_preprocessor.size={format_scale(after)} instead of size_divisor={divisor}")
    if len(changed) == 1:
        changes += _fit_kept_pixels(cfg, *next(iter(changed.items())))
    return changes + _fit_window(model.get("test_cfg") or {}, scaled_sizes(_evaluation_scale(cfg), pictures))


def _fit_window(test_cfg: Any, scaled: np.ndarray) -> list[str]:
    if test_cfg.get("mode") != "slide":
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


def _evaluation_scale(cfg: Config, splits: Sequence[str] = ("val", "test")) -> Mapping | None:
    """Return the step that scales pictures in the first of these splits; None: they keep their size."""
    for split in splits:
        if cfg.get(f"{split}_dataloader") is not None:
            return scaling_step(inner_datasets(cfg[f"{split}_dataloader"].dataset)[0].get("pipeline", []))
    return None


def _scale_of(cfg: Config) -> str:
    step = _evaluation_scale(cfg)
    return "" if step is None else format_scale(step["scale"])


def _fixed_parts(cfg: Config) -> Iterator[tuple[str, str]]:
    for key, part in walk(cfg.model, "model"):
        if isinstance(part, Mapping) and type_name(part) in _FIXED:
            yield key, type_name(part)


def _describe_sizes(pictures: Sequence[Picture]) -> str:
    sizes = sorted(
        {(picture.width, picture.height) for picture in pictures}, key=lambda size: (size[0] * size[1], size)
    )
    first, last = (f"{width}x{height}" for width, height in (sizes[0], sizes[-1]))
    return first if first == last else f"{first} to {last}"
