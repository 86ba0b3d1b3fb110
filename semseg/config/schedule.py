"""A run of another length: what was planned to end with the run still does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config

from semseg.config.tree import type_name

_EPOCH_LOOPS = ("EpochBasedTrainLoop", "ResumableEpochLoop")


def counts_epochs(cfg: Mapping[str, Any]) -> bool:
    """Return whether a config trains by epochs, and not by iterations."""
    loop = cfg.get("train_cfg") or {}
    return type_name(loop) in _EPOCH_LOOPS or bool(loop.get("by_epoch"))


def length_of(cfg: Config) -> int | None:
    """Return `train_cfg.max_iters`, or `max_epochs` of a run by epochs; None where a config counts otherwise."""
    return (cfg.get("train_cfg") or {}).get("max_epochs" if counts_epochs(cfg) else "max_iters")


def fit_schedule(cfg: Config, planned: int | None, options: Sequence[str] = ()) -> None:
    """Let the parameter schedulers that ended with the planned run end with the present one.

    A warm-up, which ends earlier, stays as it is. So does a scheduler whose end an option sets, and one that
    begins after the run's new end: it never acts.

    Args:
        cfg: with all options applied; its `param_scheduler` is changed in place.
        planned: `length_of` the config file.
        options: the `key.path=value` strings that were applied.
    """
    length, schedulers = length_of(cfg), cfg.get("param_scheduler")
    if None in (length, planned) or length == planned:
        return
    set_keys = {option.partition("=")[0] for option in options}
    places = {f"param_scheduler.{i}": one for i, one in enumerate(schedulers)} if isinstance(schedulers, list) else {}
    if isinstance(schedulers, dict):
        places = {"param_scheduler": schedulers}
    for place, scheduler in places.items():
        begin, ends_with_run = scheduler.get("begin", 0), scheduler.get("end") == planned
        if set_keys & {"param_scheduler", place, f"{place}.end"}:
            continue
        if scheduler.get("by_epoch", True) != counts_epochs(cfg) or not ends_with_run or begin >= length:
            continue
        for key in ("T_max", "total_steps"):  # cosine and one-cycle schedules may count their steps themselves
            if scheduler.get(key) == planned - begin and f"{place}.{key}" not in set_keys:
                scheduler[key] = length - begin
        scheduler["end"] = length
