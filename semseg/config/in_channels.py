"""Fit the first convolution and the normalisation of a model to pictures with `bands`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmseg.registry import MODELS

from semseg.config.bands import Input, list_numbers
from semseg.config.tree import type_name
from semseg.errors import InvalidConfigError
from semseg.system.wording import listing

_FIXED_INPUT = ("VPD", "CLIP")  # backbones that are made for RGB, whatever their signature says


def set_input(cfg: Config, chosen: Input) -> list[str]:
    """Fit the first convolution and the normalisation of a model to its channels. Modifies `cfg`.

    Returns:
        What was changed.

    Raises:
        ValueError: the backbone has a fixed number of channels, or the data preprocessor does not normalise.
    """
    count = chosen.num_channels
    preprocessor = cfg.model.get("data_preprocessor") or cfg.get("data_preprocessor")
    if preprocessor is None or type_name(preprocessor) != "SegDataPreProcessor":
        raise InvalidConfigError(
            f"a set with `bands` needs a model.data_preprocessor of type SegDataPreProcessor, and the config has"
            f" {'none' if preprocessor is None else type_name(preprocessor)}",
            code="E-config-bands",
        )
    changes = [*chosen.lines]
    before = list(preprocessor.get("mean") or [])
    if before != chosen.mean:
        changes.append(
            f"normalised with the mean {list_numbers(chosen.mean)} and std {list_numbers(chosen.std)} of the training"
            f" split, instead of the mean {list_numbers(before)} of the config"
        )
    preprocessor = {**preprocessor, "mean": list(chosen.mean), "std": list(chosen.std)}
    if count != 3:  # the order of three channels is swapped, as for RGB
        preprocessor |= {"bgr_to_rgb": False, "rgb_to_bgr": False}
    cfg.model.data_preprocessor = preprocessor
    if "data_preprocessor" in cfg:
        cfg.data_preprocessor = preprocessor
    return changes + _set_in_channels(cfg.model, count)


def _set_in_channels(model: Any, count: int) -> list[str]:
    """Set the number of channels of the first convolutions. Modifies `model`."""
    backbone = model.get("backbone")
    key = "model.backbone"
    places: list[tuple[str, Any]] = []
    while isinstance(backbone, dict):
        if type_name(backbone) not in _FIXED_INPUT and _takes_in_channels(backbone):
            places.append((key, backbone))
        backbone, key = backbone.get("backbone_cfg"), f"{key}.backbone_cfg"
    if not places and count != 3:
        kind = type_name(model.get("backbone") or model)
        raise InvalidConfigError(
            f"{kind} reads three channels, and the set has {count} bands: name three `bands`, or take a config whose"
            " backbone has `in_channels`",
            code="E-config-bands",
        )
    changed = [(place, part) for place, part in places if part.get("in_channels", 3) != count]
    for _, part in changed:
        part["in_channels"] = count
    return [f"{listing([f'{place}.in_channels' for place, _ in changed])} is {count}"] if changed else []


def _takes_in_channels(part: Mapping[str, Any]) -> bool:
    """Return whether the class of a part of a model has an argument `in_channels`, in itself or through `**kwargs`."""
    if "in_channels" in part:
        return True
    try:
        kind = part["type"] if isinstance(part["type"], type) else MODELS.get(part["type"])
    except (ImportError, KeyError):
        kind = None
    if kind is None:  # of a package that is not installed, or unknown: reported when it is built
        return True
    for base in inspect.getmro(kind) if inspect.isclass(kind) else ():
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters
        if "in_channels" in parameters:
            return True
        if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
            return False
    return False
