"""Building the model of a config with the weights of a checkpoint, once or several times."""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import nn

from semseg import compat
from semseg.checkpoints.loading import load_strictly
from semseg.checkpoints.reading import read_checkpoint
from semseg.config.build_errors import explained
from semseg.inference.precision import make_fast


class ModelOpener:
    """Builds a model, and builds it again later with the same trust in its checkpoint.

    Args:
        cfg: from `for_inference`; not changed.
        checkpoint: weights that fit the model exactly.
        device: where the model will be.
        is_stock: leave the model as MMSegmentation builds it; for fp32.
    """

    def __init__(self, cfg: Config, checkpoint: str | Path, device: torch.device, is_stock: bool = False) -> None:
        self._is_stock = is_stock
        self._cfg, self._checkpoint, self._device = cfg, checkpoint, device
        # kept for `open_again`, which may be called in another context
        self._trusts_checkpoints = compat.checkpoints_are_trusted()
        self._uses_registered_names_only = compat.only_registered_names_are_used()

    def open(self, content: Mapping[str, Any], precision: str) -> tuple[nn.Module, str]:
        """Build the model, load its weights, and make it fast.

        Args:
            content: of the checkpoint, from `read_checkpoint`.
            precision: fp32, bf16 or fp16.

        Returns:
            The model on its device, in evaluation mode, without gradients; what was done to it, in a few words.

        Raises:
            ValueError: the model cannot be built, or the weights don't fit it.
        """
        init_default_scope(self._cfg.get("default_scope", "mmseg"))
        with explained(self._cfg):
            model = MODELS.build(self._cfg.copy().model)
        load_strictly(model, content, self._checkpoint)
        model = model.to(self._device).eval().requires_grad_(False)
        if self._is_stock:
            return model, "as in MMSegmentation"
        model, is_fused = make_fast(model, precision)
        return model, "fused batch norms, channels-last" if is_fused else "channels-last"

    def open_again(self, precision: str) -> tuple[nn.Module, str]:
        """Read the checkpoint again and return what `open` returns."""
        return contextvars.copy_context().run(self._read_and_open, precision)

    def _read_and_open(self, precision: str) -> tuple[nn.Module, str]:
        if self._trusts_checkpoints:
            compat.trust_checkpoints()
        if self._uses_registered_names_only:
            compat.use_registered_names_only()
        return self.open(read_checkpoint(self._checkpoint), precision)
