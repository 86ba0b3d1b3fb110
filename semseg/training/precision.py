"""Number formats and memory layouts that are fast on the hardware."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS, OPTIM_WRAPPERS

from semseg.compat.hardware import is_fast_at_bf16
from semseg.compat.loss_kernels import fast_losses
from semseg.config.hooks import remove_hooks
from semseg.config.log import warn
from semseg.config.options import STOCK
from semseg.config.patch import Patch, changes
from semseg.errors import InvalidConfigError
from semseg.training.options import PrecisionOptions
from semseg.training.runner_parts import bare_model


def configure(cfg: Config, options: PrecisionOptions) -> Patch:
    """Train in mixed precision (float16 with loss scaling on a GPU, bfloat16 on a CPU), or deterministically.

    With `performance='stock'` the run has neither the Bf16OptimWrapper nor the ChannelsLastHook of its config.

    Raises:
        ValueError: mixed precision with another type of optimizer wrapper.
    """

    def edit(edited: Config) -> None:
        if options.deterministic:
            edited.randomness = dict(edited.get("randomness", {}), deterministic=True)
        if options.performance == STOCK:
            _use_stock_precision(edited)
        if options.amp and edited.optim_wrapper.type not in ("AmpOptimWrapper", "Bf16OptimWrapper"):
            if edited.optim_wrapper.type != "OptimWrapper":
                raise InvalidConfigError(
                    f"`amp` works with optim_wrapper.type 'OptimWrapper', not {edited.optim_wrapper.type!r}",
                    code="E-config-unsupported",
                )
            edited.optim_wrapper.update(type="AmpOptimWrapper", loss_scale="dynamic")
        _use_cpu_precision(edited)

    return changes(cfg, edit)


def _use_stock_precision(cfg: Config) -> None:
    """Train in float32 and in PyTorch's default layout, as MMSegmentation does. Modifies `cfg`."""
    if cfg.optim_wrapper.get("type") == "Bf16OptimWrapper":
        cfg.optim_wrapper.pop("enabled", None)
        cfg.optim_wrapper.type = "OptimWrapper"
    remove_hooks(cfg, "ChannelsLastHook")


def _use_cpu_precision(cfg: Config) -> None:
    """Use bfloat16 if the config needs float16 and there is no GPU. Modifies `cfg`."""
    wrapper = cfg.optim_wrapper
    if wrapper.get("type") != "AmpOptimWrapper" or torch.cuda.is_available():
        return
    for name in ("loss_scale", "dtype", "use_fsdp"):
        wrapper.pop(name, None)
    wrapper.update(type="Bf16OptimWrapper", enabled=True)
    warn("no GPU: optim_wrapper.type AmpOptimWrapper becomes bfloat16 on the CPU")


@OPTIM_WRAPPERS.register_module()
class Bf16OptimWrapper(OptimWrapper):
    """Train under bfloat16 autocast, on GPU or CPU; the weights stay float32. On a CPU, losses have faster kernels.

    MMEngine's AmpOptimWrapper does not work on CPUs, and scales losses, which bfloat16 does not need: it has the
    range of float32.

    Args:
        enabled: True, False, or 'auto': if the device is fast at it (`semseg.compat.hardware.is_fast_at_bf16`).
        **kwargs: as of OptimWrapper.
    """

    def __init__(self, enabled: bool | Literal["auto"] = "auto", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if enabled == "auto":
            enabled, _ = is_fast_at_bf16(self.optimizer.param_groups[0]["params"][0].device)
        self.enabled = enabled

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Generator[None]:
        """Run a training step in the chosen precision."""
        device = next(model.parameters()).device
        in_bf16 = torch.autocast(device.type, torch.bfloat16, enabled=self.enabled)
        with super().optim_context(model), in_bf16, fast_losses(device):
            yield


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keep the weights in the layout (batch, height, width, channels), in which convolutions are faster.

    The results are those of the usual layout, up to rounding.
    """

    def before_run(self, runner: Runner) -> None:
        """Convert the model once; the activations follow its layout.

        A DDP wrapper has made its buckets for the old layout, and would mix up the elements of the first gradients:
        it is created again.
        """
        model = bare_model(runner)
        model.to(memory_format=torch.channels_last)
        if is_model_wrapper(runner.model):
            runner.model = runner.wrap_model(runner.cfg.get("model_wrapper_cfg"), model)
