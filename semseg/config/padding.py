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
    if kind in ("DDRNet", "PIDNet"):
        return {"size_divisor": _SPATIAL_STRIDE}
    if kind == "UNet":
        num_stages = part.get("num_stages", _NUM_STAGES)
        strides = part.get("strides", (1,) * num_stages)
        downsamples = part.get("downsamples", (True,) * (num_stages - 1))
        halvings = sum(strides[i] == 2 or downsamples[i - 1] for i in range(1, num_stages))
        return {"size_divisor": math.prod([2] * halvings)}
    test_cfg = model.get("test_cfg") or {}
    if kind in _ONE_SIZE and test_cfg.get("mode") == "slide":
        return {"size": tuple(test_cfg["crop_size"])}
    return None
