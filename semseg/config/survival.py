"""What lets a training survive a kill and go on exactly where it was."""

from __future__ import annotations

from mmengine.config import Config

from semseg.config.hooks import ensure_hook


def survive(cfg: Config, max_time_s: float | None = None) -> None:
    """Give a training (in place) safe checkpoints, seeds that follow from the position, and ends that save.

    It replaces MMEngine's CheckpointHook and InfiniteSampler by those of this project, which do the same and
    lose nothing; another hook or sampler of the config stays.

    Args:
        cfg: of a training.
        max_time_s: save and stop after so many seconds.
    """
    checkpoint = cfg.get("default_hooks", {}).get("checkpoint")
    if checkpoint is not None and checkpoint.type == "CheckpointHook" and not checkpoint.get("by_epoch", True):
        checkpoint.type = "SafeCheckpointHook"
    loader = cfg.train_dataloader
    if loader.sampler.type == "InfiniteSampler":
        loader.sampler.type = "SeededSampler"
        loader.dataset = dict(type="SeededDataset", dataset=loader.dataset)
    for one in (cfg.train_dataloader, cfg.get("val_dataloader")):
        if one is not None:
            one.setdefault("worker_init_fn", dict(type="deaf_worker_init_fn"))
    ensure_hook(cfg, dict(type="SeedHook"))
    ensure_hook(cfg, dict(type="StopHook", max_time_s=max_time_s))
