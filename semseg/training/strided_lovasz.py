"""The Lovász loss of every n-th pixel: on CPUs, sorting all pixels of a batch can take as long as a small network."""

from __future__ import annotations

from typing import Any

import torch
from mmseg.registry import MODELS


@MODELS.register_module()
class StridedLovaszLoss(torch.nn.Module):
    """MMSegmentation's LovaszLoss of a batch, computed from every `stride`-th pixel in both directions.

    The first row and column are drawn for each batch, so that every pixel counts equally often. The loss sorts the
    errors of all pixels once per class; with stride 2 a quarter of them.

    Args:
        stride: 1 or more; 1 is the LovaszLoss itself.
        kwargs: those of LovaszLoss, such as `loss_weight`; the loss is always that of the whole batch.
    """

    def __init__(self, stride: int = 2, **kwargs: Any) -> None:
        super().__init__()
        if not isinstance(stride, int) or stride < 1:
            raise ValueError(f"StridedLovaszLoss: stride {stride!r}: expected a whole number, 1 or more")
        from mmseg.models.losses import LovaszLoss  # with it come all models, which plugins must not wait for

        self.stride = stride
        self.loss = LovaszLoss(**{**kwargs, "per_image": False, "reduction": "none"})

    @property
    def loss_name(self) -> str:
        """Name in the log; it begins with `loss_`."""
        return self.loss.loss_name

    def forward(self, cls_score: torch.Tensor, label: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return the loss, a scalar, of logits (N, C, H, W) for the labels (N, H, W)."""
        top, left = torch.randint(self.stride, (2,)).tolist()
        part = (..., slice(top, None, self.stride), slice(left, None, self.stride))
        return self.loss(cls_score[part].contiguous(), label[part].contiguous(), *args, **kwargs)
