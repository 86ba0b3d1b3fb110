"""The features of a training, in the order in which they change the config."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config

from semseg.config.classes import check_training
from semseg.config.dataset_files import check_split
from semseg.config.options import names_of
from semseg.config.packages import check_packages
from semseg.config.patch import apply_features
from semseg.errors import InvalidConfigError
from semseg.training import (
    batch,
    checkpointing,
    ema,
    epochs,
    freeze,
    input_channels,
    losses,
    monitor,
    nan_guard,
    options,
    overfit,
    performance,
    precision,
    provenance,
    rare_crops,
    resume,
    resume_agreement,
    sampling,
    stopping,
    trackers,
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
    (val_loss, options.ValLossOptions),  # before monitor, which may follow it
    (monitor, options.MonitorOptions),
    (ema, options.EmaOptions),
    (overfit, options.OverfitOptions),
    # from here on: features that every run has
    (work_folder, options.FolderOptions),
    (checkpointing, options.NoOptions),
    (input_channels, options.NoOptions),
    (sampling, options.LoadingOptions),
    (performance, options.PerformanceOptions),
    (resume_agreement, options.FolderOptions),
    (stopping, options.StoppingOptions),
    (nan_guard, options.StockOptions),
    (provenance, options.NoOptions),
    (trackers, options.TrackOptions),
    (preflight, options.PreflightOptions),
)
"""Each feature with its options; a later one sees the changes of the earlier ones."""


def for_training(cfg: Config, **asked: Any) -> Config:
    """Return the config of a training run.

    Args:
        cfg: from `load_config`; not changed. `class_weight='auto'` becomes numbers.
        asked: the fields of the dataclasses in `semseg.training.options`, such as `ema=0.0002`; and `cfg_options`,
            the same that were given to `load_config`.

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
        raise InvalidConfigError(
            "nothing to train on: a training needs a config, which a checkpoint does not replace",
            code="E-config-missing-key",
        )
    check_packages(cfg)  # again: the config may have been changed since load_config
    check_split(cfg, "train")
    check_split(cfg, "val", "test")
    check_training(cfg)
    return apply_features(cfg, FEATURES, asked)
