"""Train a model: from a config and what a run is asked to do, to the finished config of the run, and its hooks."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Sequence

import torch
from mmengine.config import Config

from semseg.config.class_weights import fill_in_class_weights
from semseg.config.classes import check_training
from semseg.config.dataset_files import check_split
from semseg.config.hooks import ensure_hook
from semseg.config.packages import check_packages
from semseg.errors import InvalidConfigError
from semseg.training.balance import balance
from semseg.training.batch import settle_batch
from semseg.training.epochs import train_epochs
from semseg.training.overfit import overfit as overfit_few
from semseg.training.preflight.configure import try_first
from semseg.training.resumable import survive
from semseg.training.resume import check_folder, resume_checkpoint
from semseg.training.resume_agreement import stay_the_same
from semseg.training.starting_weights import fine_tune
from semseg.training.tracking import track


def for_training(
    cfg: Config,
    *,
    resume: str | None = None,
    load_from: str | None = None,
    freeze: Sequence[str] = (),
    amp: bool = False,
    deterministic: bool = False,
    max_time_s: float | None = None,
    loss: str | None = None,
    class_weight: str | None = None,
    rare_crops: float | None = None,
    early_stop: int | None = None,
    monitor: str | None = None,
    val_loss: bool = False,
    ema: float | None = None,
    accumulate: str | None = None,
    scale_lr: bool = True,
    check: bool = True,
    dry_run: bool = False,
    overfit: int | None = None,
    epochs: int | None = None,
    options: Sequence[str] = (),
) -> Config:
    """Return the config of a training run.

    Args:
        cfg: from `load_config`; not changed. `class_weight='auto'` becomes numbers.
        resume: a checkpoint to continue; `newest` of the work folder; `auto`: that, if there is one.
        load_from: a checkpoint to start a new run from.
        freeze: modules that don't learn, such as `backbone`.
        amp: mixed precision: float16 with loss scaling on a GPU, bfloat16 on a CPU.
        deterministic: the same weights from the same seed on the same machine, also on a GPU; slower.
        max_time_s: save and stop after so many seconds.
        loss, class_weight, rare_crops: against imbalance, see `balance`.
        early_stop, monitor, val_loss, ema: what the run is judged by, see `track`.
        accumulate, scale_lr: the batch against the recipe's, see `settle_batch`.
        check, dry_run: the trial before the first iteration, see `try_first`.
        overfit: learn this many images by heart, see `overfit_few`.
        epochs: how many passes over the training set, see `train_epochs`.
        options: those of `load_config`.

    Raises:
        FileNotFoundError: `resume` and there is no such checkpoint.
        FileExistsError: the work folder holds the checkpoints of another run.
        ValueError: the checkpoint to continue is damaged, or of another loss or other data; `amp` with an optimizer
            wrapper that has a precision of its own; `overfit` with what it leaves out; a split that the data set
            does not have; other classes in validation than in training, or in the heads.
    """
    cfg = copy.deepcopy(cfg)
    if cfg.get("train_dataloader") is None:
        raise InvalidConfigError("nothing to train on: a training needs a config, which a checkpoint does not replace")
    check_packages(cfg)
    check_split(cfg, "train")
    check_split(cfg, "val", "test")
    balance(cfg, loss=loss, class_weight=class_weight, rare_crops=rare_crops)
    check_training(cfg)
    resume_checkpoint(cfg, resume)
    fine_tune(cfg, load_from, freeze, resume)
    if deterministic:
        cfg.randomness = dict(cfg.get("randomness", {}), deterministic=True)
    if amp and cfg.optim_wrapper.type not in ("AmpOptimWrapper", "Bf16OptimWrapper"):
        if cfg.optim_wrapper.type != "OptimWrapper":
            raise InvalidConfigError(
                f"--amp works with optim_wrapper.type 'OptimWrapper', not {cfg.optim_wrapper.type!r}"
            )
        cfg.optim_wrapper.update(type="AmpOptimWrapper", loss_scale="dynamic")
    _use_cpu_precision(cfg)
    fill_in_class_weights(cfg)
    train_epochs(cfg, epochs if overfit is None else None, options)
    settle_batch(cfg, accumulate, scale_lr and overfit is None, options)
    track(cfg, early_stop=early_stop, monitor=monitor, val_loss=val_loss, ema=ema)
    judged_by = {"--early-stop": early_stop, "--monitor": monitor, "--val-loss": val_loss, "--ema": ema}
    overfit_few(cfg, overfit, options, {**judged_by, "--rare-crops": rare_crops, "--accumulate": accumulate,
                                           "--epochs": epochs})  # fmt: skip
    check_folder(cfg, resume)
    stay_the_same(cfg)
    survive(cfg, max_time_s)
    ensure_hook(cfg, dict(type="GuardHook"))
    ensure_hook(cfg, dict(type="DescriptionHook"))
    try_first(cfg, check, dry_run)
    return cfg


def _use_cpu_precision(cfg: Config) -> None:
    """Train in bfloat16 where there is no GPU for the float16 that the config asks for (in place)."""
    wrapper = cfg.optim_wrapper
    if wrapper.get("type") != "AmpOptimWrapper" or torch.cuda.is_available():
        return
    for name in ("loss_scale", "dtype", "use_fsdp"):
        wrapper.pop(name, None)
    wrapper.update(type="Bf16OptimWrapper", enabled=True)
    if int(os.environ.get("RANK", 0)) == 0:
        logging.getLogger("semseg").warning("no GPU: optim_wrapper.type AmpOptimWrapper becomes bfloat16 on the CPU")
