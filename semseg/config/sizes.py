"""Fit the sizes in a config to the pictures of another data set: scales, crops, padding, sliding windows.

The sizes in a config belong to its own data set: a config for Cityscapes scales pictures to 2048x1024 and crops
512x1024. On pictures of 480x360, that would enlarge every picture 2.8 times, and cost 8 times the computation. The
rules are:

- Pictures are not enlarged. If a step would enlarge nearly all of them, its scale is divided by that factor, and most
  pictures keep their size. Random factors, such as 0.5 to 2, stay.
- Pictures that a step makes smaller are made smaller, as before: this bounds memory and time. So are the few that are
  larger than the others, as one scale serves all; a note tells how many.
- A crop, and a sliding window, is at most as large as the pictures after scaling, rounded up to what networks divide.
- Models that accept only one size, or need a large one, keep all sizes of the config.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config

from semseg.config.crops import fit_crops
from semseg.config.scaling_steps import (
    divided,
    enlargement,
    factors_of,
    format_scale,
    is_scaling,
    keeps_ratio,
    scaling_step,
)
from semseg.config.tree import LOADERS, datasets_of, edited, first_pipeline, type_name, walk
from semseg.datasets.picture_sizes import Picture

_ENLARGED = 1.05  # a step that enlarges by less is left as it is
_NOTABLY_SMALLER = 0.8  # pictures that are scaled by less are reported
_FIXED = {  # types that keep all sizes of the config, and why
    "BEiT": "its relative positions are made for one size",
    "MAE": "its positions are made for one size",
    "LRASPPHead": "it pools 49x49 features",
}


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
    for key, kind in _fixed_parts(cfg):
        if factor is None or factor <= _ENLARGED:
            return _describe_smaller(cfg, pictures)
        reason = f"as {key} ({kind}) needs it: {_FIXED[kind]}"
        return [
            *_describe_smaller(cfg, pictures),
            f"pictures of {name} are enlarged {factor:.2g} times, {reason}",
        ]
    notes = _scale_tests_alike(cfg)
    changes: list[str] = []
    for dataset in datasets_of(cfg, *LOADERS):
        dataset["pipeline"], fitted = _fit_scales(dataset.get("pipeline", []), pictures, factor)
        changes += fitted
    if changes:
        notes.append(f"pictures of {name} are not enlarged: {'; '.join(dict.fromkeys(changes))}")
    changes = fit_crops(cfg, pictures)
    if changes:
        notes.append(f"no larger than the pictures: {'; '.join(changes)}")
    return _describe_smaller(cfg, pictures) + notes


def _describe_smaller(cfg: Config, pictures: Sequence[Picture]) -> list[str]:
    """Return a note if the test makes pictures notably smaller: how many of them, and by which factor."""
    step = _evaluation_scale(cfg)
    if step is None:
        return []
    pairs = zip(factors_of(step, pictures).tolist(), pictures, strict=True)
    smaller = [(factor, picture) for factor, picture in pairs if factor < _NOTABLY_SMALLER]
    if not smaller:
        return []
    sizes, percent = _describe_sizes([picture for _, picture in smaller]), 100 * len(smaller) / len(pictures)
    is_all = len(smaller) == len(pictures)
    who = f"pictures of {sizes}" if is_all else f"{max(1, round(percent))}% of the pictures, those of {sizes},"
    factors = dict.fromkeys(f"{factor:.2g}" for factor in (min(smaller)[0], max(smaller)[0]))
    return [
        f"{who} are scaled by {' to '.join(factors)}, to the scale {format_scale(step['scale'])}; for small objects,"
        " set a larger scale in the pipelines, or cut the pictures into tiles"
    ]


def _scale_tests_alike(cfg: Config) -> list[str]:
    """Scale in tests as in validations: some configs test on another set, with pictures of another size."""
    val, test = (scaling_step(first_pipeline(cfg, name)) for name in ("val_dataloader", "test_dataloader"))
    if val is None or test is None or type_name(val) != type_name(test) or val["scale"] == test["scale"]:
        return []
    for dataset in datasets_of(cfg, "test_dataloader"):
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
        is_choice = type_name(step) == "RandomChoiceResize" and step.get("scales") and keeps_ratio(step)
        factor = (test_factor if is_choice else enlargement(step, pictures)) or 1
        if factor <= _ENLARGED:
            return dict(step)
        key = "scales" if is_choice else "scale"
        fitted = divided(step[key], factor)
        changes.append(f"{key} {format_scale(fitted)} instead of {format_scale(step[key])} ({factor:.2g} times larger)")
        more = {"max_size": divided(step["max_size"], factor)} if "max_size" in step else {}
        return {**step, key: fitted, **more}

    return edited(steps, fit), changes


def _evaluation_scale(cfg: Config) -> Mapping | None:
    """Return the step that scales pictures in a validation, else in a test; None: they keep their size."""
    return scaling_step(first_pipeline(cfg, "val_dataloader", "test_dataloader"))


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
