"""What lets a training survive a kill and go on exactly where it was."""

from __future__ import annotations

from mmengine.config import Config

from semseg.config.hooks import ensure_hook, note
from semseg.config.schedule import counts_epochs
from semseg.config.tree import type_name
from semseg.training.tracking import metrics_of


def survive(cfg: Config, max_time_s: float | None = None) -> None:
    """Give a training (in place) safe checkpoints, seeds that follow from the position, and ends that save.

    It replaces MMEngine's CheckpointHook, InfiniteSampler, and in a run by epochs its loop and DefaultSampler, by
    those of this project, which do the same and lose nothing; another hook, loop or sampler of the config stays.

    Args:
        cfg: of a training.
        max_time_s: save and stop after so many seconds.
    """
    by_epoch = counts_epochs(cfg)
    if by_epoch and type_name(cfg.train_cfg) in ("", "EpochBasedTrainLoop"):
        cfg.train_cfg.pop("by_epoch", None)
        cfg.train_cfg.type = "ResumableEpochLoop"
    _save_safely(cfg, by_epoch)
    _draw_by_position(cfg, by_epoch)
    for one in (cfg.train_dataloader, cfg.get("val_dataloader")):
        if one is not None:
            one.setdefault("worker_init_fn", dict(type="deaf_worker_init_fn"))
    ensure_hook(cfg, dict(type="SeedHook"))
    ensure_hook(cfg, dict(type="StopHook", max_time_s=max_time_s))


def _save_safely(cfg: Config, by_epoch: bool) -> None:
    defaults = dict(logger=dict(type="LoggerHook"), checkpoint=dict(type="CheckpointHook", interval=1))  # MMEngine's
    cfg.default_hooks = {**defaults, **(cfg.get("default_hooks") or {})}
    logger, checkpoint = cfg.default_hooks.logger, cfg.default_hooks.checkpoint
    if logger is not None and type_name(logger) == "LoggerHook":
        logger.log_metric_by_epoch = False  # scores and losses have one axis, iterations; a resumed run cuts there
    if checkpoint is None or type_name(checkpoint) not in ("CheckpointHook", "SafeCheckpointHook"):
        return
    counted = checkpoint.get("by_epoch", type_name(checkpoint) == "CheckpointHook")
    if counted and not by_epoch:
        counted, interval = False, cfg.train_cfg.get("val_interval", 1000)  # IterBasedTrainLoop's default
        if checkpoint.get("interval", -1) > 0:
            note(cfg, f"the run has no epochs to save after: it saves every {interval} iterations, as it validates")
        checkpoint.interval = interval
    checkpoint.update(type="SafeCheckpointHook", by_epoch=counted)
    known = metrics_of(cfg) if cfg.get("val_evaluator") is not None else None
    if known and "save_best" not in checkpoint and "mIoU" not in known:
        checkpoint.save_best = next((name for name in known if name.startswith("m")), None)


def _draw_by_position(cfg: Config, by_epoch: bool) -> None:
    loader = cfg.train_dataloader
    sampler = loader.get("sampler")
    kind = type_name(sampler or {})
    if by_epoch and kind in ("InfiniteSampler", "SeededSampler", "DefaultSampler"):
        if kind != "DefaultSampler":
            note(
                cfg, "an epoch is one pass over the training set, so DefaultSampler takes the place of InfiniteSampler"
            )
        sampler.type = "SeededEpochSampler"
    elif not by_epoch and kind == "InfiniteSampler":
        sampler.type = "SeededSampler"
    else:
        return
    if type_name(loader.dataset) != "SeededDataset":
        loader.dataset = dict(type="SeededDataset", dataset=loader.dataset)
