"""Runs by epochs, which a checkpoint can leave at any iteration, and resume exactly there.

MMEngine's EpochBasedTrainLoop begins a resumed epoch again from its first batch. Here the batches that the epoch has
had are left out, without loading them.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator
from typing import Any

from mmengine.dataset import DefaultSampler
from mmengine.registry import DATA_SAMPLERS
from mmengine.runner import EpochBasedTrainLoop
from mmseg.registry import LOOPS

from semseg.datasets.seeded import Draw


@DATA_SAMPLERS.register_module()
class SeededEpochSampler(DefaultSampler):
    """MMEngine's DefaultSampler, the same indices; each is a `Draw`, from which SeededDataset takes its seed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._num_skipped = 0

    def skip(self, num_samples: int) -> None:
        """Leave out the first samples of this process, in the next pass only."""
        self._num_skipped = num_samples

    def __iter__(self) -> Iterator[Draw]:
        skipped, self._num_skipped = self._num_skipped, 0
        for i, index in enumerate(super().__iter__()):
            if i >= skipped:
                draw = Draw(index)
                draw.key = (self.seed, self.epoch * self.total_size + i * self.world_size + self.rank)
                yield draw


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """MMEngine's EpochBasedTrainLoop, which a run that was stopped in the middle of an epoch enters there.

    Every epoch has an order of its own, also where the config has no DistSamplerSeedHook.
    """

    def run_epoch(self) -> None:
        """Iterate over what is left of this epoch."""
        self.runner.call_hook("before_train_epoch")
        self.runner.model.train()
        done = self._iter - self._epoch * len(self.dataloader)
        for index, batch in enumerate(self._batches_after(done), start=done):
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
                f"the sampler {type(sampler).__name__} cannot be entered in its middle: {num_batches} batches are"
                " loaded and left out"
            )
        return itertools.islice(self.dataloader, num_batches, None)


def validation_is_due(runner: Any) -> bool:
    """Return whether a training has just reached a position at which its loop validates."""
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
    """Return whether the last batch of an epoch has one image, and the others more."""
    loader = runner.train_dataloader
    is_cut = isinstance(runner.train_loop, EpochBasedTrainLoop) and not loader.drop_last
    return is_cut and (loader.batch_size or 1) > 1 and len(loader.sampler) % loader.batch_size == 1


def recount_iterations(checkpoint: dict[str, Any], iters_per_epoch: int, logger: logging.Logger) -> None:
    """Let a run by epochs go on with another number of iterations per epoch (in place): it keeps the epoch.

    The number changes with the batch and with the number of processes. Curves are begun anew, since their axis is
    iterations.

    Args:
        checkpoint: to be resumed.
        iters_per_epoch: of the present run.
        logger: is told of the change.
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
        f"an epoch has {iters_per_epoch} iterations now, {before} before: goes on in epoch {epoch + 1}, at iteration"
        f" {meta['iter']} instead of {num_iters}, with new curves"
    )
