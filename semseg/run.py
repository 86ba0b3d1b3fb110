"""Train and evaluate what a finished config describes."""

from __future__ import annotations

import os
import re
import urllib.error

import torch
from mmengine.config import Config
from mmengine.dist import get_rank, init_dist, is_distributed, is_main_process
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.utils.dl_utils import set_multi_processing
from mmseg.registry import RUNNERS

from semseg import compat, slurm
from semseg.stopping import Stopped

_LOST_PEER = re.compile(r"[Cc]onnection (?:closed|reset) by (?:remote )?peer|Broken pipe|remote process exited")


def train(cfg: Config) -> None:
    """Train; checkpoints, log, TensorBoard events and pictures land under `cfg.work_dir`.

    Raises:
        ConnectionError: the pretrained weights cannot be downloaded; the sentence names the ways out.
        Stopped: a signal, the clock or a fault ended the run.
    """
    runner = _build_runner(cfg)
    if runner.deterministic:  # some operations of a GPU have no deterministic kernel: they warn
        torch.use_deterministic_algorithms(True, warn_only=True)
    print_log(f"watch it: tensorboard --logdir {cfg.work_dir}", "current")
    _log_orientation(cfg.train_dataloader)
    try:
        runner.train()
    except Stopped:
        runner.visualizer.close()  # what TensorBoard has not written yet
        raise
    except RuntimeError as error:
        if not is_distributed() or not _LOST_PEER.search(str(error)):
            raise
        raise Stopped(f"process {get_rank()} lost its connection to another process, which has ended", 1) from error
    except urllib.error.URLError as error:
        raise ConnectionError(
            f"cannot download the pretrained weights {cfg.model.get('pretrained') or cfg.get('load_from')}"
            f" ({error.reason}): download them elsewhere and set --cfg-options model.pretrained=FILE, or --load-from"
            " FILE, or train from scratch with model.pretrained=None"
        ) from error
    print_log(f"checkpoints and pictures: {cfg.work_dir}, {runner.log_dir}", "current")


def evaluate(cfg: Config) -> dict[str, float]:
    """Evaluate `cfg.load_from` on the test set; the scores land under `cfg.work_dir`.

    Returns:
        Scores in percent: aAcc, mIoU, mAcc, `IoU/<class>`, `Acc/<class>`.
    """
    runner = _build_runner(cfg)
    _log_orientation(cfg.test_dataloader)
    return runner.test()


def join_processes(cfg: Config) -> None:
    """Join the processes that the launcher started; once is enough, and alone there is nothing to join.

    As `Runner.setup_env` does it, only before the Runner: what comes before the run can be decided together.
    """
    if cfg.launcher == "none" or is_distributed():
        return
    environment = cfg.get("env_cfg", {})
    launcher = cfg.launcher
    if launcher == "slurm":  # MMEngine's own way needs a GPU and scontrol
        launcher = "pytorch"
        os.environ.update(slurm.rank_variables(os.environ))
        if torch.cuda.device_count() == 1:  # each task sees its own only
            os.environ["LOCAL_RANK"] = "0"
    set_multi_processing(**environment.get("mp_cfg", {}), distributed=True)
    if launcher == "pytorch" and not torch.cuda.is_available():
        compat.init_cpu_process_group()
        if is_main_process():
            print(f"no GPU: {torch.distributed.get_world_size()} CPU processes over gloo, BN instead of SyncBN")
    else:
        init_dist(launcher, **environment.get("dist_cfg", {"backend": "nccl"}))


def _log_orientation(dataloader: dict) -> None:
    done = "ignored" if "color_ignore_orientation" in str(dataloader) else "applied"
    print_log(f"EXIF orientation of photographs: {done}", "current")


def _build_runner(cfg: Config) -> Runner:
    join_processes(cfg)
    return RUNNERS.build(cfg)
