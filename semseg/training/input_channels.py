"""Start from weights that were pretrained on RGB although the model reads another number of channels.

The rule for a first convolution with weights W of shape (out, 3, height, width), for a model of N channels:

- a channel that the dataset.yaml names as red, green or blue (`rgb`) gets the weights of that colour,
- every other channel gets the mean of the three,
- all are multiplied by 3 / N, so that the response to a grey picture keeps its size.

Pretrained weights are taken to be in the order red, green, blue, as those of this project's configs are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor, nn

from semseg.config.bands import loader_of
from semseg.config.patch import Patch
from semseg.config.tree import datasets_of
from semseg.errors import InvalidCheckpointError
from semseg.system.wording import listing
from semseg.training.options import NoOptions
from semseg.training.runner_parts import bare_model

_RGB = 3


def configure(cfg: Config, options: NoOptions) -> Patch:
    """Add the hook that fits pretrained weights to the channels, if there are not three."""
    bands = next(filter(None, map(loader_of, datasets_of(cfg, "train_dataloader"))), None)
    if bands is None or bands.num_channels == _RGB:
        return Patch()
    rgb = None if bands.rgb is None else list(bands.rgb)
    return Patch(hooks=[dict(type="InputChannelsHook", num_channels=bands.num_channels, rgb=rgb)])


def widen(weight: Tensor, num_channels: int, rgb: Sequence[int] | None = None) -> Tensor:
    """Return the weights of a first convolution for another number of channels, by the rule above.

    Args:
        weight: of the three colours, shape (out, 3, height, width).
        num_channels: N.
        rgb: the channels, from 0, that show red, green and blue; None: unknown.

    Returns:
        Shape (out, N, height, width).
    """
    wide = weight.mean(dim=1, keepdim=True).repeat(1, num_channels, 1, 1)
    if rgb is not None:
        wide[:, list(rgb)] = weight
    return wide * (_RGB / num_channels)


@HOOKS.register_module()
class InputChannelsHook(Hook):
    """Fit the first convolutions of pretrained weights to the channels of the model, while they are loaded.

    This concerns the weights of a backbone (`init_cfg`, `model.pretrained`) and of a whole model (`load_from`). A
    checkpoint that is resumed is not changed. The log says what was done.

    Args:
        num_channels: of the pictures.
        rgb: the channels, from 0, that show red, green and blue; None: unknown.
    """

    priority = "HIGHEST"  # before FineTuningHook, which refuses other shapes

    def __init__(self, num_channels: int, rgb: Sequence[int] | None = None) -> None:
        self.num_channels, self.rgb = num_channels, rgb
        self._loaded: dict[str, bool] = {}  # name of a weight -> whether it was widened
        self._handles: list[Any] = []

    def before_run(self, runner: Runner) -> None:
        """Watch the first convolutions, before MMEngine loads the weights of the backbone."""
        for name, module in _first_convolutions(bare_model(runner), self.num_channels).items():
            self._handles.append(module.register_load_state_dict_pre_hook(self._fitting(f"{name}.weight")))

    def _fitting(self, name: str) -> Any:
        def fit(module: nn.Module, state_dict: dict, prefix: str, *others: Any) -> None:
            key = f"{prefix}weight"
            if key in state_dict:
                state_dict[key] = self._fit(name, state_dict[key])

        return fit

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Fit the weights of `load_from`."""
        if runner.cfg.get("resume") or not isinstance(runner.optim_wrapper, OptimWrapper):  # built by a training only
            return
        stored = checkpoint.get("state_dict", checkpoint)
        names = [f"{name}.weight" for name in _first_convolutions(bare_model(runner), self.num_channels)]
        for key in list(stored):
            name = next((name for name in names if key in (name, f"module.{name}")), None)
            if name is not None:
                stored[key] = self._fit(name, stored[key])

    def before_train(self, runner: Runner) -> None:
        """Log what was done."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        if runner.cfg.get("resume"):
            return
        names = [f"{name}.weight" for name in _first_convolutions(bare_model(runner), self.num_channels)]
        widened = [name for name in names if self._loaded.get(name)]
        fresh = [name for name in names if name not in self._loaded]
        if widened:
            how = "the mean of the three colours for each channel"
            if self.rgb is not None:
                how = f"red, green and blue for channels {listing(self.rgb)} (from 0), their mean for the others"
            runner.logger.info(
                f"{listing(widened)}: pretrained on 3 channels, fitted to {self.num_channels}: {how}, times"
                f" 3/{self.num_channels}"
            )
        if fresh:
            runner.logger.info(f"{listing(fresh)}: {self.num_channels} channels, initialised: no weights were loaded")

    def _fit(self, name: str, weight: Tensor) -> Tensor:
        channels = weight.shape[1]
        if channels not in (_RGB, self.num_channels):
            raise InvalidCheckpointError(
                f"{name} of the pretrained weights has {channels} channels, and the set has {self.num_channels} bands;"
                f" expected 3, or {self.num_channels}",
                code="E-checkpoint-mismatch",
            )
        self._loaded[name] = channels != self.num_channels or self._loaded.get(name, False)
        return widen(weight, self.num_channels, self.rgb) if channels != self.num_channels else weight


def _first_convolutions(model: nn.Module, num_channels: int) -> dict[str, nn.Module]:
    """Return the convolutions of the backbone with as many input channels, by name: those that read the picture.

    A later layer may have this number of channels by chance; weights that fit it are loaded as they are.
    """
    backbone: Any = getattr(model, "backbone", nn.Identity())
    return {
        f"backbone.{name}": module
        for name, module in backbone.named_modules()
        if isinstance(module, nn.Conv2d) and module.in_channels == num_channels and module.groups == 1
    }
