"""Test a model only if all weights of its checkpoint are loaded."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from semseg.checkpoints.loading import load_strictly


@HOOKS.register_module()
class StrictWeightsHook(Hook):
    """Raise if a checkpoint does not fit the model; MMEngine would load the weights that fit, and only warn."""

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Load it strictly; MMEngine then loads the same weights once more.

        Raises:
            ValueError: a key is missing, is not in the model, or has another shape.
        """
        content = checkpoint if "state_dict" in checkpoint else {"state_dict": checkpoint}
        checkpoint["state_dict"] = load_strictly(runner.model, content, runner.cfg.load_from)
