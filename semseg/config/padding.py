"""Pad pictures in tests for networks that would fail on other sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from semseg.config.tree import type_name, walk

_SPATIAL_STRIDE = 8  # of the branch that keeps details in DDRNet and PIDNet; the other branch is scaled to size // 8
_NUM_STAGES = 5  # of a UNet, by default
_ONE_SIZE = ("BEiT", "MAE")  # their positions are made for `img_size`


def pad_for_backbone(cfg: Config) -> None:
    """Set `model.data_preprocessor.test_cfg` if the backbone fails on pictures of some sizes. Modifies `cfg`.

    Pictures of all other sizes are not padded, and the padding is cut off the scores. A `test_cfg` in the config stays.
    Sliding windows have one size, on which the network does not fail, so only pictures smaller than a window are
    padded: padding a larger one would move its last windows, and change its scores.

    Args:
        cfg: with all options applied.
    """
    preprocessor = cfg.model.get("data_preprocessor") or {}
    if type_name(preprocessor) != "SegDataPreProcessor" or preprocessor.get("test_cfg"):
        return
    padding = next((padding for _, part in walk(cfg.model) if (padding := _padding_for(part, cfg.model))), None)
    if padding is not None:
        preprocessor["test_cfg"] = padding


def _padding_for(part: Any, model: Mapping) -> dict | None:
    kind = type_name(part) if isinstance(part, Mapping) else ""
    test_cfg = model.get("test_cfg") or {}
    window = tuple(test_cfg["crop_size"]) if test_cfg.get("mode") == "slide" else None
    if kind in _ONE_SIZE:
        return None if window is None else {"size": window}
    divisor = _divisor_of(kind, part)
    if divisor is None:
        return None
    if window is not None and all(side % divisor == 0 for side in window):
        return {"size": window}
    return {"size_divisor": divisor}


def _divisor_of(kind: str, part: Mapping) -> int | None:
    """Return the number that must divide the sides of a picture for a backbone; None if all sizes are right."""
    if kind in ("DDRNet", "PIDNet"):
        return _SPATIAL_STRIDE
    if kind == "UNet":
        num_stages = part.get("num_stages", _NUM_STAGES)
        strides = part.get("strides", (1,) * num_stages)
        downsamples = part.get("downsamples", (True,) * (num_stages - 1))
        return math.prod(2 for i in range(1, num_stages) if strides[i] == 2 or downsamples[i - 1])
    return None
