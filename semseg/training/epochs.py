"""Runs by epochs: how to tell one, and how to make one of a recipe that counts iterations."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from semseg.config.schedule import counts_epochs, fit_schedule, length_of
from semseg.config.tree import type_name
from semseg.errors import InvalidConfigError
from semseg.system.machine import num_processes

_LENGTHS = ("train_cfg", "train_cfg.max_iters", "train_cfg.max_epochs")


def train_epochs(cfg: Config, epochs: int | None, options: Sequence[str] = ()) -> None:
    """Make a training (in place) one of so many passes over its set.

    A recipe that counts iterations validates and saves as often in the run as before, at the ends of epochs. Its
    schedule ends with the run; a warm-up keeps its iterations.

    Args:
        cfg: of a training, with its final data and batch.
        epochs: how many; None leaves the config as it is.
        options: the `key.path=value` strings that were applied; intervals that they set count epochs.

    Raises:
        ValueError: `epochs` is below 1, or `options` set the length too, or the loop has intervals that change.
    """
    if epochs is None:
        return
    if epochs < 1:
        raise InvalidConfigError(f"--epochs {epochs}: expected a number of epochs, 1 or more")
    given = {option.partition("=")[0] for option in options}
    twice = [key for key in _LENGTHS if key in given]
    if twice:
        raise InvalidConfigError(
            f"--epochs {epochs} and --cfg-options {twice[0]} both set the length of the run: give one"
        )
    planned = length_of(cfg)
    if counts_epochs(cfg):
        cfg.train_cfg.max_epochs = epochs
        fit_schedule(cfg, planned, options)
        return
    if cfg.train_cfg.get("dynamic_intervals"):
        raise InvalidConfigError(
            "--epochs does not work with train_cfg.dynamic_intervals, which count iterations: set it to None"
        )
    num_batches = batches_per_epoch(cfg)
    cfg.train_cfg.max_iters = epochs * num_batches
    fit_schedule(cfg, planned, options)

    def in_epochs(interval: int, key: str) -> int:
        return interval if key in given or not planned else max(1, round(interval / planned * epochs))

    loop = dict(type="EpochBasedTrainLoop", max_epochs=epochs)
    if "val_interval" in cfg.train_cfg:
        loop["val_interval"] = in_epochs(cfg.train_cfg.val_interval, "train_cfg.val_interval")
    if "val_begin" in cfg.train_cfg:
        loop["val_begin"] = math.ceil(cfg.train_cfg.val_begin / num_batches)
    cfg.train_cfg = loop
    checkpoint = (cfg.get("default_hooks") or {}).get("checkpoint")
    if checkpoint is not None and not checkpoint.get("by_epoch", type_name(checkpoint) == "CheckpointHook"):
        checkpoint.by_epoch = True
        if checkpoint.get("interval", -1) > 0:
            checkpoint.interval = in_epochs(checkpoint.interval, "default_hooks.checkpoint.interval")
    if cfg.get("log_processor"):
        cfg.log_processor.by_epoch = True


def batches_per_epoch(cfg: Config) -> int:
    """Count the batches of one process in a pass over the training set; 1 where the set is not there."""
    loader = cfg.train_dataloader
    init_default_scope(cfg.get("default_scope", "mmseg"))
    try:
        num_samples = len(DATASETS.build(_without_pipelines(loader.dataset.to_dict())))
    except FileNotFoundError:  # the checks before the run say more about it
        return 1
    mine = math.ceil(num_samples / num_processes(cfg.get("launcher", "none")))
    batch_size = loader.get("batch_size", 1)
    return max(1, mine // batch_size if loader.get("drop_last") else math.ceil(mine / batch_size))


def _without_pipelines(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return what has as many samples: without transforms, and without the counting of rare classes."""
    dataset = copy.deepcopy(dict(dataset))
    if type_name(dataset) in ("RareClassDataset", "SeededDataset"):
        return _without_pipelines(dataset["dataset"])
    if "pipeline" in dataset:
        dataset["pipeline"] = []
    for key in ("dataset", "datasets"):
        part = dataset.get(key)
        if isinstance(part, Mapping):
            dataset[key] = _without_pipelines(part)
        elif isinstance(part, (list, tuple)):
            dataset[key] = [_without_pipelines(one) for one in part]
    return dataset
