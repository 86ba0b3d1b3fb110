"""Pad pictures in tests for networks that would fail on other sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from semseg.compat.input_sizes import divisor_of
from semseg.config.tree import type_name, walk

_ONE_SIZE = ("BEiT", "MAE")  # their positions are made for `img_size`


def pad_for_backbone(cfg: Config) -> None:
    """Set `model.data_preprocessor.test_cfg` if the backbone fails on pictures of some sizes. Modifies `cfg`.

    Pictures of all other sizes are not padded, and the padding is cut off the scores. A `test_cfg` in the config stays.
    It is written into the config, so that MMSegmentation's own programs can test the model, too.
    For sliding windows, each window is padded instead if it has to be (`semseg.compat.input_sizes`): padding the
    picture would move its last windows, and change their scores.

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
    divisor = divisor_of(kind, part)
    return None if divisor is None or window is not None else {"size_divisor": divisor}
