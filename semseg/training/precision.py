"""Number formats and memory layouts that the hardware is fast in."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS, OPTIM_WRAPPERS

from semseg.config.patch import Patch, changes
from semseg.errors import InvalidConfigError
from semseg.training.options import PrecisionOptions


def configure(cfg: Config, options: PrecisionOptions) -> Patch:
    """Train in mixed precision: float16 with loss scaling on a GPU, bfloat16 on a CPU; or the same on every run.

    Raises:
        ValueError: mixed precision with an optimizer wrapper that has a precision of its own.
    """

    def edit(edited: Config) -> None:
        if options.deterministic:
            edited.randomness = dict(edited.get("randomness", {}), deterministic=True)
        if options.amp and edited.optim_wrapper.type not in ("AmpOptimWrapper", "Bf16OptimWrapper"):
            if edited.optim_wrapper.type != "OptimWrapper":
                raise InvalidConfigError(
                    f"--amp works with optim_wrapper.type 'OptimWrapper', not {edited.optim_wrapper.type!r}"
                )
            edited.optim_wrapper.update(type="AmpOptimWrapper", loss_scale="dynamic")
        _use_cpu_precision(edited)

    return changes(cfg, edit)


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


def has_fast_bf16() -> bool:
    """Return whether this machine multiplies bfloat16 matrices in hardware: a GPU since Ampere, or AMX."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_capability()[0] >= 8
    cpu = Path("/proc/cpuinfo")
    return cpu.is_file() and "amx_bf16" in cpu.read_text()


@OPTIM_WRAPPERS.register_module()
class Bf16OptimWrapper(OptimWrapper):
    """Train under bfloat16 autocast, on GPU or CPU; the weights stay float32.

    MMEngine's AmpOptimWrapper refuses CPUs, and scales losses, which bfloat16 does not need: it has the range
    of float32.

    Args:
        enabled: True, False, or 'auto' for `has_fast_bf16()` (without matrix units it is slower than float32).
        **kwargs: those of OptimWrapper.
    """

    def __init__(self, enabled: bool | Literal["auto"] = "auto", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.enabled = has_fast_bf16() if enabled == "auto" else enabled

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        """Run a training step in the chosen precision."""
        device_type = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device_type, torch.bfloat16, enabled=self.enabled):
            yield


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keep the weights in the layout (batch, height, width, channels), which convolutions are faster in.

    The results stay those of the usual layout, up to rounding.
    """

    def before_run(self, runner: Runner) -> None:
        """Convert the model once; the activations follow its layout.

        A DDP wrapper has laid out its buckets for the old layout, and would mix up the elements of the first
        gradients: it is made anew.
        """
        is_wrapped = is_model_wrapper(runner.model)
        model = runner.model.module if is_wrapped else runner.model
        model.to(memory_format=torch.channels_last)
        if is_wrapped:
            runner.model = runner.wrap_model(runner.cfg.get("model_wrapper_cfg"), model)
