"""Load the weights of the checkpoint strictly: all keys and shapes must match the model."""

from __future__ import annotations

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from semseg.checkpoints.loading import load_strictly
from semseg.config.class_count import check_class_count
from semseg.config.class_weights import leave_out_class_weights
from semseg.config.from_checkpoint import leave_out_pretrained
from semseg.config.hooks import ensure_hook
from semseg.config.patch import Patch, changes
from semseg.evaluation.options import WeightsOptions


def configure(cfg: Config, options: WeightsOptions) -> Patch:
    """Load the weights of the checkpoint, and no pretrained weights that the config names.

    Raises:
        ValueError: the checkpoint has another number of classes than the config.
    """
    check_class_count(cfg, options.checkpoint, options.content)

    def edit(edited: Config) -> None:
        edited.load_from = str(options.checkpoint)
        edited.resume = False
        leave_out_class_weights(edited)
        leave_out_pretrained(edited.model)
        ensure_hook(edited, dict(type="StrictWeightsHook"))

    return changes(cfg, edit)


@HOOKS.register_module()
class StrictWeightsHook(Hook):
    """Raise if a checkpoint does not match the model; MMEngine would load the matching weights, and only warn."""

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Load the weights strictly; MMEngine then loads the same weights again.

        Raises:
            ValueError: a key is missing, is not in the model, or has another shape.
        """
        content = checkpoint if "state_dict" in checkpoint else {"state_dict": checkpoint}
        checkpoint["state_dict"] = load_strictly(runner.model, content, runner.cfg.load_from)
