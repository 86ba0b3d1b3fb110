"""Runs by epochs: convert a recipe that counts iterations, and stop and resume such a run at any iteration.

MMEngine's EpochBasedTrainLoop starts a resumed epoch again with its first batch. Here, the batches that were trained
before are skipped without loading them.
"""

from __future__ import annotations

import copy
import itertools
import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.registry import DATA_SAMPLERS, init_default_scope
from mmengine.runner import EpochBasedTrainLoop
from mmseg.registry import DATASETS, LOOPS

from semseg.config.options import STOCK
from semseg.config.patch import Patch, changes
from semseg.config.schedule import counts_epochs, fit_schedule, length_of
from semseg.config.tree import type_name
from semseg.datasets.seeded import Draw
from semseg.errors import InvalidConfigError
from semseg.system.machine import num_processes
from semseg.training.options import EpochsOptions

_LENGTHS = ("train_cfg", "train_cfg.max_iters", "train_cfg.max_epochs")


def configure(cfg: Config, options: EpochsOptions) -> Patch:
    """Set the length of a training in epochs, that is, passes over the training set.

    A recipe that counts iterations validates and saves as often as before in the whole run, but at the ends of epochs.
    Its schedule ends with the run; a warm-up keeps its number of iterations.

    Intervals that `cfg_options` set count epochs. A config that counts epochs already gets the loop that can be
    resumed at any iteration.

    Raises:
        ValueError: `epochs` is below 1, `cfg_options` set the length too, or the loop has `dynamic_intervals`.
    """
    if options.overfit is not None:  # it counts iterations
        return Patch()

    repeats_order = (cfg.get("default_hooks") or {}).get("sampler_seed", True) is None

    def edit(edited: Config) -> None:
        if options.epochs is not None:
            _train_epochs(edited, options.epochs, options.cfg_options)
        if repeats_order and options.performance == STOCK:
            return  # ResumableEpochLoop would shuffle every epoch anew
        if counts_epochs(edited) and type_name(edited.train_cfg) in ("", "EpochBasedTrainLoop"):
            edited.train_cfg.pop("by_epoch", None)
            edited.train_cfg.type = "ResumableEpochLoop"

    return changes(cfg, edit)


def _train_epochs(cfg: Config, epochs: int, options: Sequence[str]) -> None:
    if epochs < 1:
        raise InvalidConfigError(f"`epochs` {epochs}: expected a number of epochs, 1 or more", code="E-config-range")
    set_keys = {option.partition("=")[0] for option in options}
    length_keys = [key for key in _LENGTHS if key in set_keys]
    if length_keys:
        raise InvalidConfigError(
            f"`epochs` {epochs} and `cfg_options` {length_keys[0]} both set the length of the run: give one",
            code="E-config-conflict",
        )
    planned = length_of(cfg)
    if counts_epochs(cfg):
        cfg.train_cfg.max_epochs = epochs
        fit_schedule(cfg, planned, options)
        return
    if cfg.train_cfg.get("dynamic_intervals"):
        raise InvalidConfigError(
            "`epochs` does not work with train_cfg.dynamic_intervals, which count iterations: set it to None",
            code="E-config-unsupported",
        )
    num_batches = batches_per_epoch(cfg)
    cfg.train_cfg.max_iters = epochs * num_batches
    fit_schedule(cfg, planned, options)

    def in_epochs(interval: int, key: str) -> int:
        return interval if key in set_keys or not planned else max(1, round(interval / planned * epochs))

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
    """Count the batches of one process in a pass over the training set; 1 if the set does not exist."""
    loader = cfg.train_dataloader
    init_default_scope(cfg.get("default_scope", "mmseg"))
    try:
        num_samples = len(DATASETS.build(_without_pipelines(loader.dataset.to_dict())))
    except FileNotFoundError:  # the checks before the run report it
        return 1
    num_own = math.ceil(num_samples / num_processes(cfg.get("launcher", "none")))
    batch_size = loader.get("batch_size", 1)
    return max(1, num_own // batch_size if loader.get("drop_last") else math.ceil(num_own / batch_size))


def _without_pipelines(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of a set with as many samples, without transforms and without the counting of rare classes."""
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
            dataset[key] = [_without_pipelines(child) for child in part]
    return dataset


@DATA_SAMPLERS.register_module()
class SeededEpochSampler(DefaultSampler):
    """MMEngine's DefaultSampler; it yields the same indices, as `Draw`s, from which SeededDataset takes its seed.

    The number of processes makes no difference for a sample, only for those that fill up the last batch of a pass.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._num_skipped = 0

    def skip(self, num_samples: int) -> None:
        """Skip the first samples of this process, in the next pass only."""
        self._num_skipped = num_samples

    def __iter__(self) -> Iterator[Draw]:
        skipped, self._num_skipped = self._num_skipped, 0
        for i, index in enumerate(super().__iter__()):
            if i >= skipped:
                draw = Draw(index)
                draw.key = (self.seed, self.epoch * len(self.dataset) + i * self.world_size + self.rank)
                yield draw


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """MMEngine's EpochBasedTrainLoop, which can also resume in the middle of an epoch.

    Every epoch has its own order, even if the config has no DistSamplerSeedHook.
    """

    def run_epoch(self) -> None:
        """Iterate over the remaining batches of this epoch."""
        self.runner.call_hook("before_train_epoch")
        self.runner.model.train()
        num_done = self._iter - self._epoch * len(self.dataloader)
        for index, batch in enumerate(self._batches_after(num_done), start=num_done):
            self.run_iter(index, batch)
        self.runner.call_hook("after_train_epoch")
        self._epoch += 1

    def _batches_after(self, num_batches: int) -> Iterable[Any]:
        if num_batches >= len(self.dataloader):  # saved after the last batch, before the end of the epoch
            return []
        sampler = self.dataloader.sampler
        if hasattr(sampler, "set_epoch"):
            sampler.set_epoch(self._epoch)
        if num_batches and hasattr(sampler, "skip") and self.dataloader.batch_size:
            sampler.skip(num_batches * self.dataloader.batch_size)
            num_batches = 0
        if num_batches:
            self.runner.logger.warning(
                f"the sampler {type(sampler).__name__} cannot start in its middle: {num_batches} batches are loaded and"
                " skipped"
            )
        return itertools.islice(self.dataloader, num_batches, None)


def validation_is_due(runner: Any) -> bool:
    """Return whether a training has just reached an iteration at which its loop validates."""
    loop = runner.train_loop
    if runner.val_loop is None:
        return False
    done, end = loop.iter, loop.max_iters
    if isinstance(loop, EpochBasedTrainLoop):
        if loop.iter != loop.epoch * len(loop.dataloader):
            return False
        done, end = loop.epoch, loop.max_epochs
    return done >= max(loop.val_begin, 1) and (done % loop.val_interval == 0 or done == end)


def ends_with_one_image(runner: Any) -> bool:
    """Return whether the last batch of an epoch has one image while the others have more."""
    loader = runner.train_dataloader
    is_cut = isinstance(runner.train_loop, EpochBasedTrainLoop) and not loader.drop_last
    return is_cut and (loader.batch_size or 1) > 1 and len(loader.sampler) % loader.batch_size == 1


def recount_iterations(checkpoint: dict[str, Any], iters_per_epoch: int, logger: logging.Logger) -> None:
    """Adapt the iteration of a checkpoint by epochs to another number of iterations per epoch; the epoch is kept.

    Modifies `checkpoint`. The number changes with the batch size and with the number of processes. The run gets new
    curves, because the axis of the curves is iterations.

    Args:
        checkpoint: to be resumed.
        iters_per_epoch: of the present run.
        logger: gets a warning if the number changed.
    """
    meta, info = checkpoint["meta"], checkpoint.get("message_hub", {}).get("runtime_info", {})
    epoch, num_iters = meta["epoch"], meta["iter"]
    before = info.get("iters_per_epoch")
    if before is None and epoch and num_iters % epoch == 0:
        before = num_iters // epoch  # as MMEngine saves it: at the end of an epoch
    if before in (None, iters_per_epoch):
        return
    meta["iter"] = epoch * iters_per_epoch + round((num_iters - epoch * before) * iters_per_epoch / before)
    if info.get("last_validation") == num_iters:
        info["last_validation"] = meta["iter"]
    info.pop("record", None)
    logger.warning(
        f"an epoch has {iters_per_epoch} iterations now, {before} before: continues in epoch {epoch + 1}, at iteration"
        f" {meta['iter']} instead of {num_iters}, with new curves"
    )
