"""Repair of a convolution of PyTorch that computes a wrong gradient on CPUs.

`semseg/compat/__init__.py` describes how a repair is written.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn


def differentiate_grouped_convolutions() -> None:
    """Compute grouped convolutions with dilation in float32 where bfloat16 would give them a wrong gradient.

    Defect: in bfloat16 and channels-last, the gradient of the weights of a depthwise or grouped convolution with a
    dilation above 1 is that of other numbers, or infinite; seen with PyTorch 2.14 on a CPU with AVX512-BF16. The scores
    and the gradient of the input are right, so a training goes on with wrong weights. CGNet, DeepLabV3+ and ResNeXt
    have such convolutions. Cause: oneDNN, which PyTorch calls for them.
    """
    stock = nn.Conv2d._conv_forward
    if hasattr(stock, "__wrapped__"):  # repaired already
        return

    @functools.wraps(stock)
    def conv_forward(self: nn.Conv2d, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if not _is_wrong(self, input, weight):
            return stock(self, input, weight, bias)
        is_autocast = torch.is_autocast_enabled("cpu")
        with torch.autocast("cpu", enabled=False):
            output = stock(self, input.float(), weight.float(), None if bias is None else bias.float())
        return output.to(torch.bfloat16 if is_autocast else input.dtype)

    nn.Conv2d._conv_forward = conv_forward


def _is_wrong(conv: Any, input: Tensor, weight: Tensor) -> bool:
    if conv.groups == 1 or max(conv.dilation) == 1 or input.device.type != "cpu":
        return False
    if not (torch.is_grad_enabled() and weight.requires_grad):
        return False
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu") is torch.bfloat16
    return weight.dtype is torch.bfloat16
