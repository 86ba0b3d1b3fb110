"""The features of a training, in the order in which they are asked what they change."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from mmengine.config import Config

from semseg.config.classes import check_training
from semseg.config.dataset_files import check_split
from semseg.config.options import names_of, pick
from semseg.config.packages import check_packages
from semseg.config.patch import Key, apply_patch
from semseg.errors import InvalidConfigError
from semseg.training import (
    batch,
    checkpointing,
    ema,
    epochs,
    freeze,
    losses,
    monitor,
    nan_guard,
    options,
    overfit,
    precision,
    provenance,
    rare_crops,
    resume,
    resume_agreement,
    sampling,
    stopping,
    val_loss,
    work_folder,
)
from semseg.training.preflight import hook as preflight

FEATURES = (
    (resume, options.ResumeOptions),
    (freeze, options.FreezeOptions),
    (precision, options.PrecisionOptions),
    (losses, options.LossOptions),
    (rare_crops, options.RareCropsOptions),
    (epochs, options.EpochsOptions),
    (batch, options.BatchOptions),
    (val_loss, options.ValLossOptions),  # before what may be judged by it
    (monitor, options.MonitorOptions),
    (ema, options.EmaOptions),
    (overfit, options.OverfitOptions),
    # from here on nothing is chosen: what every run has
    (work_folder, options.FolderOptions),
    (resume_agreement, options.FolderOptions),
    (checkpointing, options.NoOptions),
    (sampling, options.NoOptions),
    (stopping, options.StoppingOptions),
    (nan_guard, options.NoOptions),
    (provenance, options.NoOptions),
    (preflight, options.PreflightOptions),
)
"""Each with its options; a later one sees what earlier ones have changed."""


def for_training(cfg: Config, **asked: Any) -> Config:
    """Return the config of a training run.

    Args:
        cfg: from `load_config`; not changed. `class_weight='auto'` becomes numbers.
        asked: the fields of the dataclasses in `semseg.training.options`, such as `ema=0.0002`; and `cfg_options`,
            those that `load_config` has got.

    Raises:
        TypeError: no feature has such an option.
        FileNotFoundError: a checkpoint to continue or to start from is not there.
        FileExistsError: the work folder holds the checkpoints of another run.
        ValueError: an option cannot be used with the config, or with another one.

    Example:
        >>> from semseg.config import load_config
        >>> from semseg.training import for_training
        >>> cfg = load_config("pspnet_r18-d8_1xb4-1000_toycity-128x256")
        >>> cfg = for_training(cfg, ema=0.0002, loss="ohem")
        >>> [hook.type for hook in cfg.custom_hooks if "Averaged" in hook.type]
        ['AveragedWeightsHook']
    """
    known = names_of(*(kind for _, kind in FEATURES))
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise TypeError(f"for_training has no option {unknown[0]!r}; expected some of {', '.join(sorted(known))}")
    if cfg.get("train_dataloader") is None:
        raise InvalidConfigError("nothing to train on: a training needs a config, which a checkpoint does not replace")
    check_packages(cfg)
    check_split(cfg, "train")
    check_split(cfg, "val", "test")
    check_training(cfg)
    return apply_features(cfg, FEATURES, asked)


def apply_features(cfg: Config, features: Sequence[tuple[ModuleType, type]], asked: Mapping[str, Any]) -> Config:
    """Return what features make of a config, one after the other.

    Args:
        cfg: not changed.
        features: modules with `configure`, each with the dataclass of its options.
        asked: by the name of the option; what is left out has its default.

    Raises:
        RuntimeError: two of them set the same key.
    """
    cfg = copy.deepcopy(cfg)
    owners: dict[Key, str] = {}
    for feature, kind in features:
        name = feature.__name__.removeprefix("semseg.training.")
        apply_patch(cfg, feature.configure(cfg, pick(kind, asked)), name, owners)
    return cfg
