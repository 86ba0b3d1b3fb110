"""Adapt the learning rate schedule to a run of another length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config

from semseg.config.tree import type_name

_EPOCH_LOOPS = ("EpochBasedTrainLoop", "ResumableEpochLoop")


def counts_epochs(cfg: Config | Mapping[str, Any]) -> bool:
    """Return whether a config trains by epochs instead of iterations."""
    loop = cfg.get("train_cfg") or {}
    return type_name(loop) in _EPOCH_LOOPS or bool(loop.get("by_epoch"))


def length_of(cfg: Config) -> int | None:
    """Return `train_cfg.max_iters`, or `max_epochs` of a run by epochs; None if it is not set."""
    return (cfg.get("train_cfg") or {}).get("max_epochs" if counts_epochs(cfg) else "max_iters")


def fit_schedule(cfg: Config, planned: int | None, options: Sequence[str] = ()) -> None:
    """Move the end of every parameter scheduler that ends with the run to the new end. Modifies `cfg.param_scheduler`.

    A warm-up, which ends earlier, stays as it is. So does a scheduler whose end is set by an option, and one that
    begins after the new end of the run.

    Args:
        cfg: with all options applied.
        planned: `length_of` the config file.
        options: the `key.path=value` strings that were applied.
    """
    length, schedulers = length_of(cfg), cfg.get("param_scheduler")
    if length is None or planned is None or length == planned:
        return
    set_keys = {option.partition("=")[0] for option in options}
    by_place: dict[str, Any] = {}
    if isinstance(schedulers, dict):
        by_place = {"param_scheduler": schedulers}
    if isinstance(schedulers, list):
        by_place = {f"param_scheduler.{i}": scheduler for i, scheduler in enumerate(schedulers)}
    for place, scheduler in by_place.items():
        begin, ends_with_run = scheduler.get("begin", 0), scheduler.get("end") == planned
        if set_keys & {"param_scheduler", place, f"{place}.end"}:
            continue
        if scheduler.get("by_epoch", True) != counts_epochs(cfg) or not ends_with_run or begin >= length:
            continue
        for key in ("T_max", "total_steps"):  # the number of steps of cosine and one-cycle schedules
            if scheduler.get(key) == planned - begin and f"{place}.{key}" not in set_keys:
                scheduler[key] = length - begin
        scheduler["end"] = length
