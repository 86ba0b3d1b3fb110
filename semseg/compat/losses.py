"""Repairs to MMSegmentation's losses, one function per defect; `semseg.compat.repair` applies them.

A test in `tests/compat/test_losses.py` fails as soon as the stack has fixed a defect: then the repair can be removed.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
import torch.nn.functional as F

from semseg.compat import operators


def repair() -> None:
    """Apply every repair; calling it again changes nothing."""
    compute_focal_loss_anywhere()
    compute_lovasz_loss_of_few_pixels()


def compute_focal_loss_anywhere() -> None:
    """Make a FocalLoss of several classes work on CPUs, and on GPUs without MMCV's compiled operator.

    Defects: on a CPU the first iteration fails with a RuntimeError about sizes; on a GPU the loss can't be built; a
    weight per pixel, as from a sampler such as OHEM, fails with an AssertionError. Cause: `FocalLoss.forward` uses the
    column `target[:, num_classes]` of the one-hot target instead of the first `num_classes` columns; its constructor
    requires an operator that MMCV's wheel for all platforms doesn't contain, although `py_sigmoid_focal_loss` computes
    the same; the weight is not flattened, as everything else is.
    """
    import mmseg.models.losses.focal_loss as stock

    stock_forward = stock.FocalLoss.forward
    if hasattr(stock_forward, "__wrapped__"):  # repaired already
        return
    is_compiled = operators.is_compiled()

    @functools.wraps(stock_forward)
    def forward(
        self: Any,
        pred: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
        ignore_index: int = 255,
        **kwargs: Any,
    ) -> torch.Tensor:
        if is_compiled and pred.is_cuda:
            return stock_forward(self, pred, target, weight, avg_factor, reduction_override, ignore_index, **kwargs)
        num_classes = pred.shape[1]
        if target.shape == pred.shape:
            valid, one_hot = torch.ones_like(pred[:, 0], dtype=torch.bool), target.movedim(1, -1)
        else:
            valid = target != ignore_index
            one_hot = F.one_hot(target.long().where(valid, 0), max(2, num_classes))[..., -num_classes:]
        reduction = reduction_override or self.reduction
        rows = pred.movedim(1, -1)
        loss = self.loss_weight * stock.py_sigmoid_focal_loss(
            rows.reshape(-1, num_classes),
            one_hot.reshape(-1, num_classes),
            weight=None if weight is None else weight.reshape(-1, 1),
            gamma=self.gamma,
            alpha=self.alpha,
            class_weight=self.class_weight,
            valid_mask=valid.reshape(-1, 1),
            reduction=reduction,
            avg_factor=avg_factor,
        )
        return loss.reshape(rows.shape).movedim(-1, 1) if reduction == "none" else loss

    stock.FocalLoss.forward = forward
    if not is_compiled:
        stock._sigmoid_focal_loss = stock.py_sigmoid_focal_loss  # it is only compared with None


def compute_lovasz_loss_of_few_pixels() -> None:
    """Make a LovaszLoss work for batches with no labelled pixel, or with a single one.

    Defects: with none the loss is NaN, with one the iteration fails with an IndexError. Cause: an empty tensor is
    used as zero and averaged later; and `squeeze()` in `flatten_probs` removes the axis of pixels.
    """
    import mmseg.models.losses.lovasz_loss as stock

    stock_flatten, stock_flat = stock.flatten_probs, stock.lovasz_softmax_flat
    if hasattr(stock_flat, "__wrapped__"):  # repaired already
        return

    def flatten_probs(probs: torch.Tensor, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        flat, labels = stock_flatten(probs, *args, **kwargs)
        return flat.reshape(-1, probs.shape[1] if probs.dim() == 4 else 1), labels

    @functools.wraps(stock_flat)
    def lovasz_softmax_flat(probs: torch.Tensor, labels: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        return stock_flat(probs, labels, *args, **kwargs) if labels.numel() else probs.sum()

    stock.flatten_probs, stock.lovasz_softmax_flat = flatten_probs, lovasz_softmax_flat
