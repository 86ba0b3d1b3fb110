"""Estimate how long a run will take, and whether the loader or the model is the bottleneck."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from mmengine.runner import EpochBasedTrainLoop

from semseg.system.machine import num_cpus, num_local_processes


class Pace(NamedTuple):
    """The speed of the training loop.

    Attributes:
        seconds: for one iteration.
        verdict: whether the loader or the model bounds it, and how to improve it.
    """

    seconds: float
    verdict: str


def estimate_pace(step_s: float, sample_s: float, batch_size: int, num_workers: int, launcher: str) -> Pace:
    """Compare the time of the model with the time of the workers that load its batches.

    Args:
        step_s: of a training step.
        sample_s: of one sample, in one process.
        batch_size: of one process of the run.
        num_workers: of its dataloader.
        launcher: of the run; it determines how many processes share the CPUs.
    """
    batch_s = batch_size * sample_s
    enough = max(1, math.ceil(batch_s / step_s))
    if num_workers and batch_s / num_workers <= step_s:
        return Pace(step_s, f"the model bounds it ({enough} worker{'s are' if enough > 1 else ' is'} enough)")
    seconds = max(step_s, batch_s / num_workers) if num_workers else step_s + batch_s
    cpus, processes = num_cpus(), num_local_processes(launcher)
    verdict = f"the loader bounds it: train_dataloader.num_workers={enough} would keep up"
    if enough * processes > cpus:
        verdict += f", with {enough * processes} CPUs; this machine has {cpus}: smaller pictures on disk load faster"
    return Pace(seconds, verdict)


def num_validations(runner: Any) -> int:
    """Count the remaining validations, in a run by iterations or by epochs."""
    loop = runner.train_loop
    if runner.val_loop is None:
        return 0
    by_epoch = isinstance(loop, EpochBasedTrainLoop)
    done, end = (loop.epoch, loop.max_epochs) if by_epoch else (loop.iter, loop.max_iters)
    first = max(done + 1, loop.val_begin)
    due = end // loop.val_interval - (first - 1) // loop.val_interval
    return max(0, due) + (end % loop.val_interval != 0 and first <= end)


def format_duration(seconds: float) -> str:
    """Return a text such as `0.31 s`, `5 min 40 s`, `18 h 20 min` or `3 d 4 h`."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    for unit, unit_s, next_unit, next_unit_s in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= unit_s:
            return f"{int(seconds // unit_s)} {unit} {int(seconds % unit_s // next_unit_s)} {next_unit}"
    return f"{seconds:.0f} s"
