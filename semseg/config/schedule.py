"""Adapt the learning rate schedule to a run of another length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config

from semseg.config.tree import type_name
from semseg.errors import InvalidConfigError

_SHORTEST_WARM_UP = 2  # iterations
# of cosine and one-cycle schedules, of rates that fall at steps, and of restarts
_POSITIONS = ("T_max", "total_steps", "step_size", "milestones", "periods")
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
    length = length_of(cfg)
    if length is None or planned is None or length == planned:
        return
    set_keys = {option.partition("=")[0] for option in options}
    for place, scheduler in _schedulers_by_place(cfg).items():
        begin, ends_with_run = scheduler.get("begin", 0), scheduler.get("end") == planned
        if set_keys & {"param_scheduler", place, f"{place}.end"}:
            continue
        if scheduler.get("by_epoch", True) != counts_epochs(cfg) or not ends_with_run or begin >= length:
            continue
        for key in ("T_max", "total_steps"):  # the number of steps of cosine and one-cycle schedules
            if scheduler.get(key) == planned - begin and f"{place}.{key}" not in set_keys:
                scheduler[key] = length - begin
        scheduler["end"] = length


def scale_schedule(cfg: Config, length: int) -> list[str]:
    """Return the options (`key.path=value`) that give a run another length, with a schedule of the same shape.

    The begin and the end of every parameter scheduler are scaled in proportion, those of a warm-up too, and the steps
    at which a rate falls. So the learning rate reaches its end even in a run that is shorter than the warm-up of the
    config.

    Args:
        cfg: of a run by iterations.
        length: the new number of iterations.

    Raises:
        ValueError: the config trains by epochs, or does not say for how many iterations.

    Example:
        >>> from semseg.config import load_config
        >>> from semseg.config.schedule import scale_schedule
        >>> cfg = load_config("pspnet_r18-d8_1xb4-1000_toycity-128x256")  # the warm-up takes 50 of 1000 iterations
        >>> scale_schedule(cfg, 40)[:3]
        ['train_cfg.max_iters=40', 'param_scheduler.0.begin=0', 'param_scheduler.0.end=2']
    """
    planned = length_of(cfg)
    if counts_epochs(cfg) or planned is None:
        raise InvalidConfigError(
            f"{cfg.filename} trains by epochs; expected train_cfg with max_iters, the number of iterations",
            code="E-config-unsupported",
        )

    def scaled(position: int) -> int:
        # a warm-up of one iteration would stay at its start: MMEngine's LinearLR needs two to come to its end
        return min(length, max(min(position, _SHORTEST_WARM_UP), round(position * length / planned)))

    options = [f"train_cfg.max_iters={length}"]
    for place, scheduler in _schedulers_by_place(cfg).items():
        if scheduler.get("by_epoch", True):
            continue
        begin, end = scheduler.get("begin", 0), scheduler.get("end", planned)
        num_steps = max(1, scaled(end) - scaled(begin))
        options += [f"{place}.begin={scaled(begin)}", f"{place}.end={scaled(begin) + num_steps}"]
        options += _scale_positions(place, scheduler, num_steps / max(1, end - begin))
    return options


def _scale_positions(place: str, scheduler: Mapping[str, Any], share: float) -> list[str]:
    """Return the options that scale the numbers of steps in a scheduler, which MMEngine counts from its begin."""
    options = []
    for key in _POSITIONS:
        value = scheduler.get(key)
        if isinstance(value, (list, tuple)):
            scaled = ",".join(str(max(1, round(position * share))) for position in value)
            options.append(f"{place}.{key}=[{scaled}]")
        elif value is not None:
            options.append(f"{place}.{key}={max(1, round(value * share))}")
    if type_name(scheduler).startswith("Exponential"):  # a factor for every step
        options.append(f"{place}.gamma={scheduler['gamma'] ** (1 / share)}")
    return options


def _schedulers_by_place(cfg: Config) -> dict[str, Any]:
    """Return the parameter schedulers by their keys in the config."""
    schedulers = cfg.get("param_scheduler")
    if isinstance(schedulers, dict):
        return {"param_scheduler": schedulers}
    if isinstance(schedulers, list):
        return {f"param_scheduler.{i}": scheduler for i, scheduler in enumerate(schedulers)}
    return {}
