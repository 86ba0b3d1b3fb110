"""Averaged weights: an exponential moving average of the weights is validated, saved and tested."""

from __future__ import annotations

from mmengine.config import Config
from mmengine.dist import broadcast, get_world_size
from mmengine.hooks import EMAHook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from semseg.config.hooks import replace_hook
from semseg.config.patch import Patch, changes
from semseg.errors import InvalidConfigError
from semseg.training.options import EmaOptions

_AVERAGED_PART = 16  # the average looks back over 1/16 of the run so far


def configure(cfg: Config, options: EmaOptions) -> Patch:
    """Average the weights; `ema` is the lower limit of the momentum, which is the weight of the newest weights.

    Raises:
        ValueError: `ema` is out of range, or the config averages the weights already.
    """
    ema = options.ema
    if ema is None:
        return Patch()
    if not 0 < ema <= 0.5:
        hint = f"; a decay of {ema} is `ema` {1 - ema:.2g}" if 0.5 < ema < 1 else ""
        raise InvalidConfigError(
            f"`ema` {ema}: expected the weight of the newest weights, such as 0.0002{hint}", code="E-config-range"
        )
    if any(str(hook["type"]).endswith("EMAHook") for hook in cfg.get("custom_hooks") or []):
        raise InvalidConfigError(
            "`ema`: the config averages the weights already, by an EMAHook in custom_hooks", code="E-config-conflict"
        )
    return changes(cfg, lambda edited: replace_hook(edited, dict(type="AveragedWeightsHook", momentum=ema)))


@HOOKS.register_module()
class AveragedWeightsHook(EMAHook):
    """Validate, save and test an exponential moving average of the weights, by MMEngine's EMAHook.

    The average looks back over the last sixteenth of the run so far, whatever its length: the momentum after t
    iterations is 16 / (16 + t), which is the power function average of Karras et al., "Analyzing and Improving
    the Training Dynamics of Diffusion Models", 2024, but at least `momentum`. The running statistics of the batch
    norms are averaged with the weights that they belong to.

    In a checkpoint, `state_dict` holds the averaged weights, so that testing and inference use them, and
    `ema_state_dict` holds the weights that are trained. Unlike with EMAHook, a checkpoint can be saved in the middle
    of a validation, while the two are swapped. `ema_momentum` in the log and in TensorBoard is the momentum at each
    validation.

    Args:
        momentum: lower limit of the momentum; MMEngine's 0.0002 is reached after 80k iterations.
    """

    def __init__(self, momentum: float = 0.0002) -> None:
        super().__init__("MomentumAnnealingEMA", momentum=momentum, gamma=_AVERAGED_PART, update_buffers=True)
        self._is_swapped = False

    def before_run(self, runner: Runner) -> None:
        """Do nothing yet: a test loads the averaged weights and needs no second copy."""

    def before_train(self, runner: Runner) -> None:
        """Start the average, unless it was loaded, and log that the averaged weights are validated."""
        if not hasattr(self, "ema_model"):
            super().before_run(runner)
        super().before_train(runner)
        runner.logger.info("EMA: the weights that are validated, saved and tested are averaged over iterations")

    def before_val_epoch(self, runner: Runner) -> None:
        """Put the averaged weights into the model."""
        if get_world_size() > 1:  # without SyncBN every process has running statistics of its own
            for buffer in self.ema_model.buffers():
                broadcast(buffer)
        super().before_val_epoch(runner)
        self._is_swapped = True

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Put the trained weights back."""
        super().after_val_epoch(runner, metrics)
        self._is_swapped = False
        momentum = max(self.ema_model.momentum, _AVERAGED_PART / (_AVERAGED_PART + int(self.ema_model.steps)))
        runner.message_hub.update_scalar("val/ema_momentum", momentum)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store both the averaged and the trained weights."""
        if self._is_swapped:
            checkpoint["ema_state_dict"] = self.ema_model.state_dict()
        else:
            super().before_save_checkpoint(runner, checkpoint)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Load both when a run is resumed; a new run starts its average with the weights that it loads."""
        if runner.cfg.get("resume"):
            super().before_run(runner)
            super().after_load_checkpoint(runner, checkpoint)

    def before_test_epoch(self, runner: Runner) -> None:
        """Test the weights that were loaded."""

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Do nothing: the tested weights stay in the model."""
