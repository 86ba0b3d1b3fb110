"""How long a run will take, and what it will wait for."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from mmengine.runner import EpochBasedTrainLoop

from semseg.system.machine import num_cpus, num_local_processes


class Pace(NamedTuple):
    """Of the training loop.

    Attributes:
        seconds: of one iteration.
        verdict: whether the loader or the model bounds it, and what would cure it.
    """

    seconds: float
    verdict: str


def pace(step_s: float, sample_s: float, batch_size: int, num_workers: int, launcher: str) -> Pace:
    """Compare the model with the workers that feed it.

    Args:
        step_s: of a training step.
        sample_s: of one sample, in one process.
        batch_size: of one process of the run.
        num_workers: of its dataloader.
        launcher: of the run, which tells how many processes share the CPUs.
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
    """Count the validations that are still to come, in a run by iterations or by epochs."""
    loop = runner.train_loop
    if runner.val_loop is None:
        return 0
    by_epoch = isinstance(loop, EpochBasedTrainLoop)
    done, end = (loop.epoch, loop.max_epochs) if by_epoch else (loop.iter, loop.max_iters)
    first = max(done + 1, loop.val_begin)
    due = end // loop.val_interval - (first - 1) // loop.val_interval
    return max(0, due) + (end % loop.val_interval != 0 and first <= end)


def duration(seconds: float) -> str:
    """Write `0.31 s`, `5 min 40 s`, `18 h 20 min` or `3 d 4 h`."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    for name, size, less, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            return f"{int(seconds // size)} {name} {int(seconds % size // part)} {less}"
    return f"{seconds:.0f} s"
