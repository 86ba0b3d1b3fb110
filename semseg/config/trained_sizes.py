"""The sizes with which a checkpoint was validated in its training, from its description.

A description is not trusted: what is copied from it into a config is written to files that MMEngine executes later, so
only whole numbers are taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mmengine.config import Config

from semseg.checkpoints.description import description_of
from semseg.config.log import warn
from semseg.config.scaling_steps import Size, format_scale, is_scaling, scaling_step, to_pair
from semseg.config.tree import datasets_of, edited, parts_with_type, type_name


class TrainedSizes(NamedTuple):
    """Sizes of a test; None where the description has none.

    Attributes:
        kind: type of the step that scales pictures.
        scale: of this step, width and height, or the short side.
        max_size: of the long side.
        window: height and width of the sliding windows.
        stride: of the windows.
    """

    kind: str | None = None
    scale: int | Size | None = None
    max_size: int | Size | None = None
    window: Size | None = None
    stride: Size | None = None


def sizes_of(checkpoint: Mapping[str, Any]) -> TrainedSizes:
    """Return the sizes in the description of a checkpoint.

    Args:
        checkpoint: its content.

    Raises:
        ValueError: the description is invalid.
    """
    config = _mapping(description_of(checkpoint).get("config"))
    loader = _mapping(config.get("test_dataloader")) or _mapping(config.get("val_dataloader"))
    steps = {
        (type_name(step), _size(step.get("scale")), _size(step.get("max_size")))
        for step in parts_with_type(loader)
        if is_scaling(step)
    }
    scaling = steps.pop() if len(steps) == 1 else (None, None, None)
    if scaling[1] is None:
        scaling = (None, None, None)
    test_cfg = _mapping(_mapping(config.get("model")).get("test_cfg"))
    window, stride = _size(test_cfg.get("crop_size")), _size(test_cfg.get("stride"))
    if test_cfg.get("mode") != "slide" or window is None or stride is None:
        return TrainedSizes(*scaling)
    return TrainedSizes(*scaling, to_pair(window), to_pair(stride))


def take_sizes(cfg: Config, trained: TrainedSizes) -> list[str]:
    """Give a config the sizes with which a checkpoint was validated. Modifies `cfg`.

    Args:
        cfg: whose pipelines test the checkpoint.
        trained: from `sizes_of`.

    Returns:
        What was changed, one sentence each.
    """
    changes = _differences(cfg, trained)

    def replace(step: Mapping) -> dict:
        if not _is_other(step, trained):
            return dict(step)
        largest = {} if trained.max_size is None else {"max_size": trained.max_size}
        return {**step, "scale": trained.scale, **largest}

    for dataset in datasets_of(cfg, "val_dataloader", "test_dataloader"):
        dataset["pipeline"] = edited(dataset.get("pipeline", []), replace)
    if trained.window is not None and (cfg.model.get("test_cfg") or {}).get("mode") == "slide":
        cfg.model.test_cfg.update(crop_size=trained.window, stride=trained.stride)
    return [f"as the checkpoint was trained: {'; '.join(changes)}"] if changes else []


def warn_of_other_sizes(cfg: Config, checkpoint: Mapping[str, Any], path: object) -> None:
    """Warn if a config tests a checkpoint with other sizes than its training did.

    Args:
        cfg: whose pipelines test the checkpoint.
        checkpoint: its content.
        path: of the checkpoint, for the message.
    """
    changes = _differences(cfg, sizes_of(checkpoint))
    if changes:
        warn(
            "warning: the training validated %s with %s of this config: the results may be worse; leave out the config,"
            " or give the `data` of the training",
            *(path, "; ".join(changes)),
        )


def _differences(cfg: Config, trained: TrainedSizes) -> list[str]:
    """Return the sizes of a checkpoint that a config does not have, such as `scale 720x360 instead of 2048x1024`."""
    changes = []
    for dataset in datasets_of(cfg, "val_dataloader", "test_dataloader"):
        step = scaling_step(dataset.get("pipeline", []))
        if step is not None and trained.scale is not None and _is_other(step, trained):
            changes.append(f"scale {format_scale(trained.scale)} instead of {format_scale(step['scale'])}")
    test_cfg = cfg.model.get("test_cfg") or {}
    if trained.window is not None and test_cfg.get("mode") == "slide":
        for key, value in (("crop_size", trained.window), ("stride", trained.stride)):
            if to_pair(test_cfg[key]) != value:
                changes.append(f"test_cfg.{key} {format_scale(value)} instead of {format_scale(test_cfg[key])}")
    return list(dict.fromkeys(changes))


def _is_other(step: Mapping, trained: TrainedSizes) -> bool:
    """Return whether a step is of the same kind as that of the training, and has another size."""
    if trained.scale is None or not is_scaling(step) or type_name(step) != trained.kind:
        return False
    return to_pair(step["scale"]) != to_pair(trained.scale)


def _mapping(value: Any) -> Mapping:
    return value if isinstance(value, Mapping) else {}


def _size(value: Any) -> int | Size | None:
    """Return a side or a pair of sides, as plain numbers; None if the value is something else."""
    if type(value) is int and value > 0:
        return value
    if isinstance(value, (list, tuple)) and len(value) == 2 and all(type(side) is int and side > 0 for side in value):
        return (value[0], value[1])
    return None
