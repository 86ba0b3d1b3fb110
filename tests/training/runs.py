"""Runners of the small town, in this process."""

import itertools

from mmengine.runner import Runner

from semseg.config import load_config
from semseg.training import for_training
from tests.conftest import CONFIG, SHORT

_numbers = itertools.count()  # MMEngine shares the records of Runners that have the same name
QUICK = [
    *SHORT[1:],
    "train_cfg.val_interval=100",
    "train_dataloader.num_workers=0",
    "val_dataloader.num_workers=0",
    "train_dataloader.persistent_workers=False",
    "val_dataloader.persistent_workers=False",
    "default_hooks.checkpoint.save_last=False",
    "default_hooks.checkpoint.interval=100",
]
_PICTURES = ("ContactSheetHook", "PanelHook")


def build(work_dir, *options, change=None, seed=0, **flags):
    """Return a Runner of the short run.

    Args:
        work_dir: of the run.
        options: of --cfg-options, after QUICK.
        change: called with the finished config.
        seed: of the run.
        flags: of `for_training`.
    """
    cfg = load_config(CONFIG, [*QUICK, *options], work_dir=work_dir, seed=seed)
    cfg = for_training(cfg, **flags)
    cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook["type"] not in _PICTURES]
    cfg.visualizer.vis_backends = []
    cfg.experiment_name = f"trial_{next(_numbers)}"
    if change is not None:
        change(cfg)
    return Runner.from_cfg(cfg)
