"""Check that the disk has enough space for the checkpoints of a run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook, EMAHook

from semseg.errors import InvalidConfigError
from semseg.system.machine import format_bytes, free_disk_bytes
from semseg.training.preflight.restore import bare_model


def check_disk(runner: Any, state_bytes: int, free_bytes: int | None = None) -> None:
    """Compare the size of the checkpoints that the run will keep with the free disk space, in the first process.

    Args:
        runner: ready to train.
        state_bytes: of the optimizer, after its first step.
        free_bytes: default: the free space in the folder of the checkpoints.

    Raises:
        ValueError: there is too little space.
    """
    hook = next((hook for hook in runner.hooks if isinstance(hook, CheckpointHook)), None)
    folder = str((hook and hook.out_dir) or runner.work_dir)
    if hook is None or "://" in folder or not is_main_process():
        return
    if free_bytes is None:
        free_bytes = free_disk_bytes(folder)
    if runner.cfg.get("resume"):  # the checkpoints from before the resume will be replaced by new ones
        free_bytes += sum(path.stat().st_size for path in Path(folder).glob("*.pth") if not path.is_symlink())

    tensors = [value for value in bare_model(runner).state_dict().values() if torch.is_tensor(value)]
    best_bytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if any(isinstance(each, EMAHook) for each in runner.hooks):
        best_bytes *= 2
    checkpoint_bytes = best_bytes + (state_bytes if hook.save_optimizer else 0)
    num_best = len(hook.key_indicators) if hook.save_best else 0
    length = runner.max_epochs if hook.by_epoch else runner.max_iters
    num_written = math.ceil(length / hook.interval) if hook.interval > 0 else 1
    num_kept = num_written if hook.max_keep_ckpts < 1 else min(hook.max_keep_ckpts, num_written)

    def needed_bytes(num_kept: int) -> int:  # one more exists while it is written
        return (num_kept + 1) * checkpoint_bytes + num_best * best_bytes

    if needed_bytes(num_kept) <= free_bytes:
        return
    fewer = ""
    if needed_bytes(1) <= free_bytes:
        fewer = "keep fewer with `cfg_options` default_hooks.checkpoint.max_keep_ckpts=1, or "
    best = ", and the best" if num_best else ""
    raise InvalidConfigError(
        f"the checkpoints of this run need {format_bytes(needed_bytes(num_kept))} in {folder} ({num_kept} of"
        f" {format_bytes(checkpoint_bytes)} each, one more while it is written{best}), and {format_bytes(free_bytes)}"
        f" are free; {fewer}choose another disk with `work_dir`",
        code="E-config-disk",
    )
