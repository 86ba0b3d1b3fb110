"""Make a model predict faster: numbers of fewer bits, fused batch norms, generated code."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from semseg.compat.hardware import is_fast_at_bf16
from semseg.errors import InvalidInputError

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_WEIGHTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)  # the layers that autocast computes with fewer bits
_TRIAL_PX = 128
_LARGEST_SHIFT = 1e-3  # of the scores by fusing, as a share of the largest score; rounding alone is far below it


def choose_precision(precision: str, device: torch.device) -> tuple[str, str]:
    """Return the precision to compute with, and the reason in a few words.

    `auto` is bf16 if the hardware is fast at it (`semseg.compat.hardware.is_fast_at_bf16`), else fp32.
    fp16 overflows at 65504 and is never chosen automatically.

    Raises:
        ValueError: no such precision.
    """
    if precision not in PRECISIONS:
        raise InvalidInputError(
            f"`precision` {precision!r}: expected one of {', '.join(PRECISIONS)}", code="E-input-choice"
        )
    if precision != "auto":
        return precision, "as asked"
    fast, reason = is_fast_at_bf16(device)
    return ("bf16" if fast else "fp32"), reason


def make_fast(model: nn.Module, precision: str) -> tuple[nn.Module, bool]:
    """Return a segmentor that predicts the same in less time, and whether its batch norms are fused.

    Batch norms are fused into the convolutions before them if the scores of a random image stay the same: a norm that
    follows a convolution in the list of modules need not follow it in the network, and may have other channels (DDRNet,
    PIDNet). The weights get the memory format channels-last, and the data type of the precision.

    Modifies `model`.

    Args:
        model: on its device, in evaluation mode, without gradients.
        precision: fp32, bf16 or fp16.
    """
    before = _scores_of_noise(model)
    candidate = None if before is None else _fuse_copy(model)
    is_fused = False
    if before is not None and candidate is not None:
        after = _scores_of_noise(candidate)
        assert after is not None
        shift = (after - before).abs().max()
        is_fused = bool(shift <= _LARGEST_SHIFT * before.abs().max())
        model = candidate if is_fused else model
    model.to(memory_format=torch.channels_last)
    if precision != "fp32":
        for module in model.modules():
            if isinstance(module, _WEIGHTED):
                module.to(_DTYPES[precision])
    return model, is_fused


def _fuse_copy(model: nn.Module) -> nn.Module | None:
    """Return a copy with fused batch norms; None if a norm has not the channels of the convolution listed before it."""
    from mmcv.cnn import fuse_conv_bn

    try:
        return fuse_conv_bn(copy.deepcopy(model)).requires_grad_(False)
    except RuntimeError:  # as in PIDNet, DDRNet and CGNet, where some norms come before their convolution
        return None


def compile_network(network: Callable, model: nn.Module, precision: str) -> Callable:
    """Return a network for which PyTorch generates code; that takes about a minute per size of images.

    Args:
        network: `Scorer.network`.
        model: that it belongs to, from `make_fast`.
        precision: that `make_fast` got.

    Raises:
        ValueError: PyTorch cannot generate the code, for example because there is no C++ compiler, or the model is no
            EncoderDecoder.
    """
    from mmseg.models.segmentors import EncoderDecoder

    if not isinstance(model, EncoderDecoder):
        raise InvalidInputError(
            f"`compile`: {type(model).__name__} is no EncoderDecoder; leave it out", code="E-input-model"
        )
    network = torch.compile(network)
    device = next(model.parameters()).device
    meta = dict.fromkeys(("ori_shape", "img_shape", "pad_shape"), (_TRIAL_PX, _TRIAL_PX))
    try:
        with torch.inference_mode(), autocast(precision, device):
            network(torch.zeros(1, 3, _TRIAL_PX, _TRIAL_PX, device=device), [meta])
    except Exception as error:  # code generators raise many types
        cause = str(error).strip().splitlines()[0]
        raise InvalidInputError(
            f"`compile`: PyTorch cannot generate code for this model here ({type(error).__name__}: {cause}); it needs a"
            " C++ compiler such as g++. Leave `compile` out, or install one",
            code="E-input-compile",
        ) from error
    return network


def autocast(precision: str, device: torch.device) -> contextlib.AbstractContextManager:
    """Return the context manager that a model from `make_fast` has to run in."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, _DTYPES[precision], cache_enabled=False)


def _scores_of_noise(model: Any) -> torch.Tensor | None:
    """Return the scores of a small random image; None if the model cannot compute them."""
    device = next(model.parameters()).device
    try:
        height, width = model.test_cfg.get("crop_size") or (_TRIAL_PX, _TRIAL_PX)
        noise = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))
        meta = dict.fromkeys(("ori_shape", "img_shape", "pad_shape"), (height, width))
        with torch.no_grad():
            return model.encode_decode(noise.to(device), [meta])
    except (AssertionError, RuntimeError, AttributeError):
        return None
