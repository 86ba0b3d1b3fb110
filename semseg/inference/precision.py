"""Numbers of fewer bits, and fewer steps: a model made ready to predict fast."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from semseg.errors import InvalidInputError

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_WEIGHTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)  # what autocast computes with fewer bits
_TRIAL_PX = 128
_LARGEST_SHIFT = 1e-3  # of the scores by fusing, as a share of the largest one; rounding alone stays far below


def choose_precision(precision: str, device: torch.device) -> tuple[str, str]:
    """Return the precision to compute with, and a word on why.

    `auto` is bf16 where the hardware multiplies it faster than fp32: CPUs with AMX or AVX-512 BF16, GPUs from
    Ampere on. fp16 overflows at 65504 and is never chosen by itself.

    Raises:
        ValueError: no such precision.
    """
    if precision not in PRECISIONS:
        raise InvalidInputError(f"precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
    if precision != "auto":
        return precision, "as asked"
    if device.type == "cuda":
        major, _ = torch.cuda.get_device_capability(device)
        name = torch.cuda.get_device_name(device)
        return ("bf16", f"{name} is fast at it") if major >= 8 else ("fp32", f"{name} is not fast at bf16")
    if device.type != "cpu":
        return "fp32", f"nothing is known of {device.type} and bf16"
    found = sorted(_cpu_flags() & {"amx_bf16", "avx512_bf16"})
    return ("bf16", f"the CPU has {found[0]}") if found else ("fp32", "the CPU has neither amx_bf16 nor avx512_bf16")


def _cpu_flags() -> set[str]:
    with contextlib.suppress(OSError):
        flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        return set(flags[1].split()) if flags else set()
    return set()


def made_fast(model: nn.Module, precision: str) -> tuple[nn.Module, bool]:
    """Return a segmentor that predicts the same in less time, and whether its batch norms are fused.

    Batch norms go into the convolutions before them, if the scores for a random picture stay the same: a norm that
    stands after a convolution need not belong to it. Weights lie channels-last, and have the bits of the precision.

    Args:
        model: on its device, in evaluation mode, without gradients; may be changed.
        precision: fp32, bf16 or fp16.
    """
    from mmcv.cnn import fuse_conv_bn

    before = _scores_of_noise(model)
    fused = before is not None
    if fused:
        candidate = fuse_conv_bn(copy.deepcopy(model)).requires_grad_(False)
        shift = (_scores_of_noise(candidate) - before).abs().max()
        fused = bool(shift <= _LARGEST_SHIFT * before.abs().max())
        model = candidate if fused else model
    model.to(memory_format=torch.channels_last)
    if precision != "fp32":
        for module in model.modules():
            if isinstance(module, _WEIGHTED):
                module.to(_DTYPES[precision])
    return model, fused


def compiled(network: Callable, model: nn.Module, precision: str) -> Callable:
    """Return a network for which PyTorch generates code; that takes about a minute per size of pictures.

    Args:
        network: `Scorer.network`.
        model: that it belongs to, from `made_fast`.
        precision: that `made_fast` got.

    Raises:
        ValueError: PyTorch cannot, for want of a C++ compiler, or the model is none that it understands.
    """
    from mmseg.models.segmentors import EncoderDecoder

    if not isinstance(model, EncoderDecoder):
        raise InvalidInputError(f"--compile: {type(model).__name__} is no EncoderDecoder; leave it out")
    network = torch.compile(network)
    device = next(model.parameters()).device
    meta = dict.fromkeys(("ori_shape", "img_shape", "pad_shape"), (_TRIAL_PX, _TRIAL_PX))
    try:
        with torch.inference_mode(), autocast(precision, device):
            network(torch.zeros(1, 3, _TRIAL_PX, _TRIAL_PX, device=device), [meta])
    except Exception as error:  # of many types, from the generators of code
        cause = str(error).strip().splitlines()[0]
        raise InvalidInputError(
            f"--compile: PyTorch cannot generate code for this model here ({type(error).__name__}: {cause}); it needs a"
            " C++ compiler such as g++. Leave --compile out, or install one"
        ) from error
    return network


def autocast(precision: str, device: torch.device) -> contextlib.AbstractContextManager:
    """Return the context that a model from `made_fast` computes in."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, _DTYPES[precision], cache_enabled=False)


def _scores_of_noise(model: nn.Module) -> torch.Tensor | None:
    """Return what a small random picture gets, None if the model does not take one."""
    device = next(model.parameters()).device
    try:
        height, width = model.test_cfg.get("crop_size") or (_TRIAL_PX, _TRIAL_PX)
        noise = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))
        meta = dict.fromkeys(("ori_shape", "img_shape", "pad_shape"), (height, width))
        with torch.no_grad():
            return model.encode_decode(noise.to(device), [meta])
    except (AssertionError, RuntimeError, AttributeError):
        return None
