"""Repair of networks that fail on pictures of some sizes.

`semseg/compat/__init__.py` describes how a repair is written.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_SPATIAL_STRIDE = 8  # of the branch that keeps details in DDRNet and PIDNet; the other branch is scaled to size // 8
_NUM_STAGES = 5  # of a UNet, by default


def divisor_of(kind: str, backbone: Any) -> int | None:
    """Return the number that must divide height and width for a backbone; None if all sizes are right.

    Args:
        kind: name of its class.
        backbone: its config, or the module itself.
    """
    if kind in ("DDRNet", "PIDNet"):
        return _SPATIAL_STRIDE
    if kind != "UNet":
        return None
    get = backbone.get if isinstance(backbone, Mapping) else functools.partial(getattr, backbone)
    strides: Sequence[int] = get("strides", (1,) * _NUM_STAGES)
    downsamples: Sequence[bool] = get("downsamples", (True,) * (len(strides) - 1))
    return math.prod(2 for stride, halves in zip(strides[1:], downsamples, strict=False) if stride == 2 or halves)


def pad_inputs() -> None:
    """Make EncoderDecoder score inputs of any size with UNet, DDRNet and PIDNet.

    Defect: they fail with an assertion, or because two branches differ in size, on inputs that 8 or 16 does not divide:
    pictures, tiles, and pictures smaller than a sliding window. Cause: `EncoderDecoder.encode_decode` passes any size
    on. The inputs are padded at the right and below with zeros, the mean colour, and the padding is cut off the scores.
    Inputs of other sizes are scored as before.
    """
    from mmseg.models.segmentors import EncoderDecoder

    stock = EncoderDecoder.encode_decode
    if hasattr(stock, "__wrapped__"):  # repaired already
        return

    @functools.wraps(stock)
    def encode_decode(self: Any, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        height, width = inputs.shape[2:]
        divisor = divisor_of_model(self)
        added = (0, 0) if divisor is None else (-height % divisor, -width % divisor)
        if not any(added):
            return stock(self, inputs, batch_img_metas)
        inputs = functional.pad(inputs, (0, added[1], 0, added[0]))
        size = torch.Size(inputs.shape[2:])  # the type by which heads know that it is the size of the scores
        metas = [{**meta, "img_shape": size, "pad_shape": size} for meta in batch_img_metas]
        return stock(self, inputs, metas)[:, :, :height, :width]

    EncoderDecoder.encode_decode = encode_decode


def divisor_of_model(model: nn.Module) -> int | None:
    """Return the number that must divide the inputs of a segmentor; None if all sizes are right."""
    backbone = getattr(model, "backbone", None)
    return divisor_of(type(backbone).__name__, backbone)
