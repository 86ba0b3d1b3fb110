"""The steps of a pipeline that scale pictures in proportion, and the sizes that they give to the pictures of a set."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from semseg.config.tree import parts_with_type, type_name
from semseg.datasets.picture_sizes import Picture

_SCALING = ("Resize", "RandomResize", "ResizeShortestEdge")
_RESIZING = re.compile("(?!ResizeToMultiple).*(Resiz|Rescal).*")  # also steps of others; to a multiple: a few pixels
_SHARE = 0.9  # of the pictures; the others may be outliers

Size = tuple[int, int]


def is_scaling(step: Any) -> bool:
    """Return whether a step scales pictures in proportion to one scale."""
    if not isinstance(step, Mapping) or type_name(step) not in _SCALING:
        return False
    return _is_size(step.get("scale")) and (type_name(step) == "ResizeShortestEdge" or bool(step.get("keep_ratio")))


def _is_size(scale: Any) -> bool:
    is_pair = isinstance(scale, (list, tuple)) and len(scale) == 2 and all(isinstance(side, int) for side in scale)
    return isinstance(scale, int) or is_pair


def keeps_ratio(step: Mapping) -> bool:
    """Return whether a step that resizes pictures keeps their ratio of width to height; MMCV's do only if asked to."""
    return bool(step.get("keep_ratio")) or "ResizeShortestEdge" in (type_name(step), step.get("resize_type"))


def resizing_step(steps: Any) -> Mapping | None:
    """Return the first step of a pipeline that resizes pictures, in proportion or not; None: there is none."""
    return next((step for step in parts_with_type(steps) if _RESIZING.fullmatch(type_name(step))), None)


def scaling_step(steps: Any) -> Mapping | None:
    """Return the first step of a pipeline that scales pictures in proportion."""
    return next(filter(is_scaling, parts_with_type(steps)), None)


def enlargement(step: Mapping | None, pictures: Sequence[Picture]) -> float | None:
    """Return the factor by which a step scales a large picture of the set, in the middle of its random range.

    None: it does not scale in proportion.
    """
    if step is None or not is_scaling(step):
        return None
    return float(np.quantile(factors_of(step, pictures), 1 - _SHARE, method="lower"))


def large_sides(scaled: np.ndarray) -> list[float]:
    """Return a height and a width that nine of ten pictures do not exceed; `scaled` has the shape (n, 2)."""
    return np.quantile(scaled, _SHARE, axis=0, method="higher").tolist()


def scaled_sizes(step: Mapping | None, pictures: Sequence[Picture]) -> np.ndarray | None:
    """Return the heights and widths of pictures after a step, without its random factor; shape (n, 2).

    Args:
        step: that resizes them; None: they keep their size.
        pictures: before it.

    Returns:
        None if the step works by other rules than those known here.
    """
    sizes = np.array([(picture.height, picture.width) for picture in pictures], float)
    if step is None:
        return sizes
    if is_scaling(step):
        return np.round(sizes * factors_of(step, pictures)[:, None])
    is_known = type_name(step) in ("Resize", "RandomResize") and step.get("resize_type", "Resize") == "Resize"
    if not is_known or keeps_ratio(step) or not _is_size(step.get("scale")):
        return None
    width, height = to_pair(step["scale"])  # all get this size
    return np.full_like(sizes, (height, width))


def factors_of(step: Mapping, pictures: Sequence[Picture]) -> np.ndarray:
    """Return the factor by which a step scales each picture, by the rules of MMCV and MMSegmentation."""
    sides = np.array([(max(picture[:2]), min(picture[:2])) for picture in pictures], float)  # long, short
    scale = to_pair(step["scale"])
    bounds = max(scale), min(scale)
    if type_name(step) == "ResizeShortestEdge":
        bounds = step.get("max_size", np.inf), min(scale)
    return (np.array(bounds) / sides).min(axis=1)


def divided(scale: Any, factor: float) -> Any:
    """Return a side, or nested lists of sides, divided and rounded to whole pixels."""
    if isinstance(scale, (list, tuple)):
        return type(scale)(divided(side, factor) for side in scale)
    return max(1, round(scale / factor))


def to_pair(size: Any) -> Size:
    """Return a size as two sides; an integer means a square."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def format_scale(size: Any) -> str:
    """Return a text such as `512x1024`, or `320 to 960` for a list of scales."""
    if isinstance(size, (list, tuple)):
        sides = [str(side) for side in size]
        return "x".join(sides) if len(sides) == 2 else f"{sides[0]} to {sides[-1]}"
    return str(size)
