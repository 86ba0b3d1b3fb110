"""Train and evaluate what a finished config describes."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
from collections.abc import Generator
from pathlib import Path
from typing import cast

import torch
from mmengine.config import Config
from mmengine.dist import get_rank, init_dist, is_distributed, is_main_process
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.utils.dl_utils import set_multi_processing
from mmseg.registry import RUNNERS

from semseg import compat
from semseg.config.build_errors import explained
from semseg.launch import slurm
from semseg.system.allocator import keep_freed_memory
from semseg.system.atomic import disk_error, disk_remedy, is_disk_fault, naming_disk_errors
from semseg.system.stopping import GIVEN_UP, Stopped, is_disk_full

_LOST_PEER = re.compile(r"[Cc]onnection (?:closed|reset) by (?:remote )?peer|Broken pipe|remote process exited")


def train(cfg: Config) -> None:
    """Train; checkpoints, log, TensorBoard events and pictures are written under `cfg.work_dir`.

    Raises:
        ConnectionError: the pretrained weights cannot be downloaded; the message says what to do.
        ValueError: a part of the config cannot be built, or fails when it is tried; the message names its key.
        Stopped: a signal, the time limit or a fault ended the run.

    Example:
        >>> from semseg.config import load_config
        >>> from semseg.training import for_training
        >>> from semseg.training.run import train
        >>> cfg = load_config("pspnet_r18-d8_1xb4-1000_toycity-128x256", ["train_cfg.max_iters=2"])
        >>> train(for_training(cfg))
    """
    logging.raiseExceptions = False  # a full disk is reported once, not with every line of the log
    keep_freed_memory()
    with _quiet_threads():
        _build_and_train(cfg)


def _build_and_train(cfg: Config) -> None:
    with _stopping_on_disk_faults(cfg.work_dir):
        runner = _build_runner(cfg)
    if runner.deterministic:  # some operations have no deterministic kernel on a GPU: they warn
        torch.use_deterministic_algorithms(True, warn_only=True)
    print_log(f"watch it: tensorboard --logdir {cfg.work_dir}", "current")
    _log_orientation(cfg.train_dataloader)
    try:
        with _stopping_on_disk_faults(cfg.work_dir):
            _train(runner)
    except Stopped as stopped:
        with contextlib.suppress(OSError):  # the disk may be full
            runner.visualizer.close()  # writes what TensorBoard has not written yet
        if str(stopped):  # the program shows it on the screen
            level = logging.ERROR if stopped.exit_code in (1, GIVEN_UP) else logging.INFO
            runner.logger.log(level, str(stopped), extra={"on_screen": False})
        raise
    print_log(f"checkpoints and pictures: {cfg.work_dir}, {runner.log_dir}", "current")


def _train(runner: Runner) -> None:
    """Train, and explain faults of the config and lost connections."""
    try:
        with explained(runner.cfg, model=runner.model):
            runner.train()
    except RuntimeError as error:
        if not is_distributed() or not _LOST_PEER.search(str(error)):
            raise
        raise Stopped(f"process {get_rank()} lost its connection to another process, which has ended", 1) from error


@contextlib.contextmanager
def _stopping_on_disk_faults(folder: str) -> Generator[None]:
    """Stop the run when the disk is full, without a restart, or fails."""
    try:
        yield
    except OSError as error:
        if not is_disk_fault(error):
            raise
        place = f"{error.filename or folder} ({error.strerror})"
        message = f"cannot write to {place}: {disk_remedy(error)}, then go on with --resume"
        raise Stopped(message, GIVEN_UP if is_disk_full(error) else 1) from disk_error(error, error.filename or folder)


@contextlib.contextmanager
def _quiet_threads() -> Generator[None]:
    """Print no traceback when the disk fails in a thread: TensorBoard's raises it again in the training."""
    previous = threading.excepthook

    def show(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is None or not is_disk_fault(failed.exc_value):
            previous(failed)

    threading.excepthook = show
    try:
        yield
    finally:
        threading.excepthook = previous


def evaluate(cfg: Config) -> dict[str, float]:
    """Evaluate `cfg.load_from` on the test set; the scores are written under `cfg.work_dir`.

    Returns:
        Scores in percent: aAcc, mIoU, mAcc, `IoU/<class>`, `Acc/<class>`.

    Example:
        >>> from semseg.config import load_config
        >>> from semseg.evaluation import for_testing
        >>> from semseg.training.run import evaluate
        >>> scores = evaluate(for_testing(load_config("best.pth"), "best.pth"))
        >>> 0 <= scores["mIoU"] <= 100
        True
    """
    logging.raiseExceptions = False  # as in a training
    with naming_disk_errors(Path(cfg.work_dir)):
        runner = _build_runner(cfg)
        _log_orientation(cfg.test_dataloader)
        with explained(cfg, model=runner.model):
            return runner.test()


def join_processes(cfg: Config) -> None:
    """Join the processes that the launcher started; does nothing if they are joined, or if there is one process.

    `Runner.setup_env` does the same, but only here the processes can make decisions together before the Runner exists.
    """
    if cfg.launcher == "none" or is_distributed():
        return
    environment = cfg.get("env_cfg", {})
    launcher = cfg.launcher
    if launcher == "slurm":  # MMEngine's own way needs a GPU and scontrol
        launcher = "pytorch"
        os.environ.update(slurm.read_rank_variables(os.environ))
        if torch.cuda.device_count() == 1:  # each task sees only its own GPU
            os.environ["LOCAL_RANK"] = "0"
    set_multi_processing(**environment.get("mp_cfg", {}), distributed=True)
    if launcher == "pytorch" and not torch.cuda.is_available():
        compat.init_cpu_process_group()
        if is_main_process():
            print(f"no GPU: {torch.distributed.get_world_size()} CPU processes over gloo, BN instead of SyncBN")
    else:
        init_dist(launcher, **environment.get("dist_cfg", {"backend": "nccl"}))


def _log_orientation(dataloader: dict) -> None:
    use = "ignored" if "color_ignore_orientation" in str(dataloader) else "applied"
    print_log(f"EXIF orientation of photographs: {use}", "current")


def _build_runner(cfg: Config) -> Runner:
    join_processes(cfg)
    compat.forget_visualizer(cfg)
    with explained(cfg):
        return RUNNERS.build(cast(dict, cfg))  # MMEngine takes a Config as well
