"""Record where a run comes from: in every checkpoint, and in the folder of the run."""

from __future__ import annotations

import json
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from semseg.checkpoints import description, facts
from semseg.checkpoints.plain import plain
from semseg.config.patch import Patch
from semseg.system.atomic import atomic_path
from semseg.training.options import NoOptions


def configure(cfg: Config, options: NoOptions) -> Patch:
    """Add the hook that describes the run."""
    return Patch(hooks=[dict(type="DescriptionHook")])


@HOOKS.register_module()
class DescriptionHook(Hook):
    """Write a description into every checkpoint, and `run.json` beside the log when a training starts.

    The description is stored under `meta.semseg`, as plain data (see `semseg/checkpoints/description.py`). `run.json`
    says on which machine, from which data and by which command the training was started; a resumed training has its
    own folder, and so its own `run.json`.
    """

    priority = "LOW"  # after EMAHook, which swaps the weights, and before the checkpoint hook

    def __init__(self) -> None:
        self._run: dict | None = None
        self._validation: dict | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Load the scores of the last validation when a training is resumed."""
        if runner.cfg.get("resume"):
            self._validation = description.description_of(checkpoint).get("metrics")

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Collect everything that does not change during the run, and write run.json."""
        datasets = {"train": runner.train_dataloader.dataset}
        if runner.val_loop is not None:
            datasets["val"] = runner.val_dataloader.dataset
        self._run = description.describe_run(runner.cfg, datasets, runner.seed, runner.world_size)
        record = {
            **{key: self._run[key] for key in ("schema", "command", "config_file", "seed", "num_processes")},
            "deterministic": runner.deterministic,
            "start_time": facts.now(),
            "start_iteration": runner.iter,
            **{key: self._run[key] for key in ("data", "git", "versions")},
            "hardware": facts.hardware(),
        }
        with atomic_path(Path(runner.log_dir) / "run.json") as temporary:
            temporary.write_text(json.dumps(record, indent=2) + "\n")

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Keep the scores."""
        if metrics:
            self._validation = description.describe_validation(runner.iter, metrics)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the description to the checkpoint."""
        if self._run is not None:  # None: the training loop of another project
            state = description.describe_state(
                checkpoint["meta"]["iter"], self._validation, "ema_state_dict" in checkpoint
            )
            checkpoint["meta"]["semseg"] = plain({**self._run, **state})  # safe loading accepts plain data only
