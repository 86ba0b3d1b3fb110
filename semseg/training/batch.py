"""Adapt the learning rate or the gradient accumulation when the batch differs from the one of the recipe."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from semseg.config.hooks import note
from semseg.config.options import STOCK
from semseg.config.patch import Patch, changes
from semseg.errors import InvalidConfigError
from semseg.system.machine import num_processes
from semseg.training.options import BatchOptions

_AUTO = "auto"
_RATE_KEYS = {"optim_wrapper.optimizer.lr", "optim_wrapper.optimizer", "optim_wrapper"}
_ABSOLUTE_RATES = ("eta_min", "eta_max")  # of learning rate schedules; their other arguments are factors


def configure(cfg: Config, options: BatchOptions) -> Patch:
    """Set how many batches make an update, and the learning rate that belongs to that many images.

    The recipe's batch is `auto_scale_lr.base_batch_size`, else what the file name says (`4xb2`: 4 processes of
    2 images). If neither says it, or if `cfg_options` set the learning rate, the learning rate is not changed.

    Accumulated gradients are those of a large batch; the statistics of batch norm are not: they still come from
    the images of one process and one step.

    The rate follows the linear rule (https://arxiv.org/abs/1706.02677).

    With `performance='stock'` the learning rate is not changed, and MMEngine's `auto_scale_lr` is left as it is.

    Raises:
        ValueError: `accumulate` is neither a number nor `auto`; or it is `auto` and the recipe's batch is unknown.
    """
    scales = options.scale_lr and options.overfit is None
    is_stock = options.performance == STOCK

    def edit(edited: Config) -> None:
        images_per_update, base = _set_num_accumulated(edited, options.accumulate)
        if not is_stock:
            _set_lr(edited, images_per_update, base, scales, options.cfg_options)

    return changes(cfg, edit)


def _set_num_accumulated(cfg: Config, accumulate: str | int | None) -> tuple[int, int | None]:
    """Set how many batches make an update, and return the images of an update, and of the recipe's. Modifies `cfg`."""
    images_per_step = cfg.train_dataloader.get("batch_size", 0) * num_processes(cfg.launcher)
    base = _base_batch_size(cfg)
    wrapper = cfg.optim_wrapper
    if accumulate is not None:
        wrapper.accumulative_counts = _num_accumulated(accumulate, base, images_per_step)
    count = wrapper.get("accumulative_counts", 1)
    if count > 1 and accumulate is not None:
        _note_num_updates(cfg, count, images_per_step)
    return images_per_step * count, base


def _set_lr(cfg: Config, batch: int, base: int | None, scale_lr: bool, options: Sequence[str]) -> None:
    """Set the learning rate that belongs to a batch. Modifies `cfg`."""
    if cfg.get("auto_scale_lr"):
        cfg.auto_scale_lr.enable = False  # MMEngine's own scaling ignores accumulation, and would be applied as well
    if scale_lr and base and batch and batch != base and "lr" in cfg.optim_wrapper.get("optimizer", {}):
        _scale_lr(cfg, batch, base, options)


def _base_batch_size(cfg: Config) -> int | None:
    """Return the batch size that the learning rate of the config was found for; None if it is unknown."""
    base_batch_size = (cfg.get("auto_scale_lr") or {}).get("base_batch_size")
    in_name = re.search(r"(?:^|_)(\d+)xb(\d+)(?:[-_]|$)", Path(cfg.filename or "").stem)
    return base_batch_size or (int(in_name[1]) * int(in_name[2]) if in_name else None)


def _num_accumulated(accumulate: str | int, base: int | None, images_per_step: int) -> int:
    if accumulate == _AUTO:
        if base is None or not images_per_step:
            raise InvalidConfigError(
                f"`accumulate` {_AUTO}: the config does not say for which batch its learning rate was found; set"
                " auto_scale_lr.base_batch_size with `cfg_options`, or give a number",
                code="E-config-missing-key",
            )
        return max(1, round(base / images_per_step))
    if not str(accumulate).isdigit() or int(accumulate) < 1:
        raise InvalidConfigError(
            f"`accumulate` {accumulate}: expected a number of batches, 1 or more, or {_AUTO}", code="E-config-range"
        )
    return int(accumulate)


def _note_num_updates(cfg: Config, count: int, images_per_step: int) -> None:
    """Log how many updates the run makes: the loop still counts one iteration for each batch."""
    num_iters = cfg.get("train_cfg", {}).get("max_iters")
    line = f"{count} batches of {images_per_step} make an update of {images_per_step * count} images"
    if num_iters:
        line += (
            f": {num_iters} iterations are {num_iters // count} updates;"
            f" --cfg-options train_cfg.max_iters={num_iters * count} makes {num_iters}"
        )
    note(cfg, line)


def _scale_lr(cfg: Config, batch: int, base: int, options: Sequence[str]) -> None:
    optimizer = cfg.optim_wrapper.optimizer
    before, ratio = optimizer.lr, batch / base
    if _RATE_KEYS & {option.partition("=")[0] for option in options}:
        note(cfg, f"learning rate {before:g} as given, for a batch of {batch} (the recipe's: {base})")
        return
    optimizer.lr = before * ratio
    # If the final rate (eta_min) were not scaled too, it would be another share of the new rate, or even above it.
    # With both scaled by the same factor, the schedule keeps its shape.
    for scheduler in _schedulers(cfg):
        for key in _ABSOLUTE_RATES:
            if scheduler.get(key) is not None:
                scheduler[key] *= ratio
    kept = "; a resumed run goes on with that of its checkpoint" if cfg.get("resume") else ""
    note(
        cfg,
        f"learning rate {before:g} -> {optimizer.lr:g}: batch of {batch} instead of the recipe's {base};"
        f" --no-scale-lr keeps it{kept}",
    )


def _schedulers(cfg: Config) -> list[Any]:
    """Return the schedulers of the learning rate."""
    schedulers = cfg.get("param_scheduler") or []
    if isinstance(schedulers, dict):
        schedulers = [schedulers]
    return [each for each in schedulers if each["type"].endswith("LR") or each.get("param_name") == "lr"]
