"""The batch of a run against the batch that its recipe was made for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from semseg.config.hooks import note
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
    2 images). Where neither says it, and where the command line has set the learning rate, that stays as it is.

    Accumulated gradients are those of a large batch; the statistics of batch norm are not: they still come from
    the images of one process and one step.

    The rate follows the linear rule (https://arxiv.org/abs/1706.02677).

    Raises:
        ValueError: `accumulate` is no number and not `auto`; or `auto`, and nobody knows the recipe's batch.
    """
    scales = options.scale_lr and options.overfit is None
    return changes(cfg, lambda edited: _settle_batch(edited, options.accumulate, scales, options.cfg_options))


def _settle_batch(cfg: Config, accumulate: str | int | None, scale_lr: bool, options: Sequence[str]) -> None:
    parts = cfg.train_dataloader.get("batch_size", 0) * num_processes(cfg.launcher)
    base = _base_batch_size(cfg)
    wrapper = cfg.optim_wrapper
    if accumulate is not None:
        wrapper.accumulative_counts = _num_accumulated(accumulate, base, parts)
    count = wrapper.get("accumulative_counts", 1)
    if count > 1 and accumulate is not None:
        _tell_of_updates(cfg, count, parts)
    if cfg.get("auto_scale_lr"):
        cfg.auto_scale_lr.enable = False  # MMEngine's own scaling forgets accumulation, and would come on top
    batch = parts * count
    if scale_lr and base and batch and batch != base and "lr" in wrapper.get("optimizer", {}):
        _scale_lr(cfg, batch, base, options)


def _base_batch_size(cfg: Config) -> int | None:
    given = (cfg.get("auto_scale_lr") or {}).get("base_batch_size")
    named = re.search(r"(?:^|_)(\d+)xb(\d+)(?:[-_]|$)", Path(cfg.filename or "").stem)
    return given or (int(named[1]) * int(named[2]) if named else None)


def _num_accumulated(accumulate: str | int, base: int | None, parts: int) -> int:
    if accumulate == _AUTO:
        if base is None or not parts:
            raise InvalidConfigError(
                f"--accumulate {_AUTO}: the config does not say for which batch its learning rate was found; set"
                " auto_scale_lr.base_batch_size with --cfg-options, or give a number"
            )
        return max(1, round(base / parts))
    if not str(accumulate).isdigit() or int(accumulate) < 1:
        raise InvalidConfigError(f"--accumulate {accumulate}: expected a number of batches, 1 or more, or {_AUTO}")
    return int(accumulate)


def _tell_of_updates(cfg: Config, count: int, parts: int) -> None:
    """Say what becomes of the schedule: iterations stay what the loop counts, one for each batch."""
    num_iters = cfg.get("train_cfg", {}).get("max_iters")
    line = f"{count} batches of {parts} make an update of {parts * count} images"
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
    # A floor that stayed would be a larger share of the new rate, or even above it: the curve would be another.
    # Scaled alike, the schedule keeps its shape.
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
    given = cfg.get("param_scheduler") or []
    all_of_them = [given] if isinstance(given, dict) else given
    return [one for one in all_of_them if one["type"].endswith("LR") or one.get("param_name") == "lr"]
