"""The features of an evaluation, in the order in which their patches are applied."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from semseg.checkpoints.reading import read_checkpoint
from semseg.config.dataset_files import check_split
from semseg.config.from_checkpoint import existing_checkpoint, warn_of_differences
from semseg.config.options import names_of
from semseg.config.packages import check_packages
from semseg.config.patch import apply_features
from semseg.config.plugin_records import missing_plugins, plugin_flags
from semseg.errors import InvalidInputError
from semseg.evaluation import class_map, extras, options, predictions, result_files, strict_weights, tta

FEATURES = (
    (class_map, options.ClassMapOptions),  # before strict_weights, which compares the number of classes
    (strict_weights, options.WeightsOptions),
    (result_files, options.ResultsOptions),
    (extras, options.ScoresOptions),
    (predictions, options.PredictionsOptions),
    (tta, options.TtaOptions),  # last: it wraps the model
)
"""Each feature with its options; a feature gets the config with the changes of the features before it."""


def for_testing(cfg: Config, checkpoint: str | Path, content: Mapping[str, Any] | None = None, **asked: Any) -> Config:
    """Return the config of an evaluation.

    Args:
        cfg: from `load_config`; not changed. Its work folder becomes `<work_dir>/test/<checkpoint>-<data>`.
        checkpoint: path of the weights to load.
        content: content of the checkpoint, from `read_checkpoint`; default: it is read here.
        asked: fields of the dataclasses in `semseg.evaluation.options`, such as `tta=True` or `out_dir="masks"`.

    Raises:
        TypeError: no feature has such an option.
        FileNotFoundError: the checkpoint does not exist; the message lists the checkpoints in its folder.
        ValueError: the checkpoint and the data set have different classes, and there is no class map; or the model
            has another number of classes; or an option cannot be used with the config.
    """
    known = names_of(*options.ALL) - {"checkpoint", "content"}
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise TypeError(f"for_testing has no option {unknown[0]!r}; expected some of {', '.join(sorted(known))}")
    tta.check(cfg, options.TtaOptions(asked.get("tta", False)))
    checkpoint = existing_checkpoint(checkpoint)
    check_packages(cfg)  # again: the config may have been changed since load_config
    check_split(cfg, "test", "val")
    if "test_evaluator" not in cfg:
        missing = [name for name, _ in missing_plugins(cfg.get("plugins"))]
        advice = f"add {plugin_flags(missing)}, or the config" if missing else "add the config that it was trained with"
        raise InvalidInputError(
            f"{checkpoint} contains no evaluation settings; {advice}", code="E-checkpoint-no-config"
        )
    content = read_checkpoint(checkpoint, mmap=True) if content is None else content
    warn_of_differences(cfg, content, checkpoint)
    return apply_features(cfg, FEATURES, {**asked, "checkpoint": checkpoint, "content": content})
