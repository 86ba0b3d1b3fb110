"""Faster ways to compute what MMSegmentation's heads compute for a loss on a CPU.

A head scales its scores to the size of the target, and counts the pixels that it gets right. For PSPNet on small crops,
MMSegmentation's functions take as long as half of the convolutions: PyTorch's `topk` sorts each pixel's scores for the
largest one, and its bilinear interpolation has a slow backward pass on CPUs when the gradient is laid out by channels,
as that of a cross entropy is. Scaling is linear in rows and in columns, so two matrix products do the same.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_MIN_FACTOR = 2  # of the scaling; below, PyTorch's kernel is as fast
_MAX_SIDE = 128  # of the scores: the matrices are dense, so the products of large ones are slower than PyTorch's kernel


@contextmanager
def fast_losses(device: torch.device) -> Generator[None]:
    """Compute the losses of MMSegmentation's heads with these functions, on a CPU; elsewhere nothing changes.

    The scores agree with those of PyTorch's interpolation up to the rounding of float32. Accuracies agree unless two
    classes have the same score: then the pixel counts as right if one of them is.
    """
    if device.type != "cpu":
        yield
        return
    replacements = _replacements()
    for module, name, _, fast in replacements:
        setattr(module, name, fast)
    try:
        yield
    finally:
        for module, name, stock, _ in replacements:
            setattr(module, name, stock)


@functools.cache
def _replacements() -> list[tuple[ModuleType, str, Callable, Callable]]:
    """Return the modules of heads with the names in them, the functions of MMSegmentation, and the faster ones."""
    from mmseg.models import decode_heads  # noqa: F401  all of them
    from mmseg.models.losses import accuracy
    from mmseg.models.utils import resize

    functions = {"resize": (resize, _resizing(resize)), "accuracy": (accuracy, _counting(accuracy))}
    return [
        (module, name, stock, fast)
        for key, module in list(sys.modules.items())
        if key.startswith("mmseg.models.decode_heads.")
        for name, (stock, fast) in functions.items()
        if module.__dict__.get(name) is stock
    ]


def _resizing(stock: Callable[..., Tensor]) -> Callable[..., Tensor]:
    @functools.wraps(stock)
    def resize(
        input: Tensor,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        warning: bool = True,
    ) -> Tensor:
        if mode != "bilinear" or not isinstance(size, tuple) or not _is_worth(input, size):
            return stock(input, size, scale_factor, mode, align_corners, warning)
        with torch.autocast("cpu", enabled=False):
            return scale_by_products(input.float(), (int(size[0]), int(size[1])), bool(align_corners))

    return resize


def _is_worth(scores: Tensor, size: tuple[int, int]) -> bool:
    (height, width), (to_height, to_width) = scores.shape[2:], size
    is_scaled_up = to_height >= _MIN_FACTOR * height and to_width >= _MIN_FACTOR * width
    is_usual = torch.is_grad_enabled() and scores.dtype is not torch.float64
    return is_usual and is_scaled_up and 1 < max(height, width) <= _MAX_SIDE


def scale_by_products(scores: Tensor, size: tuple[int, int], align_corners: bool) -> Tensor:
    """Scale maps as `F.interpolate(scores, size, mode="bilinear")` does.

    Args:
        scores: float32, shape (N, C, height, width).
        size: height and width of the result.
        align_corners: as of `F.interpolate`.

    Returns:
        Shape (N, C, *size), contiguous.
    """
    by_rows = _weights(scores.shape[2], size[0], align_corners)
    by_columns = _weights(scores.shape[3], size[1], align_corners)
    return by_rows @ (scores.contiguous() @ by_columns.T)


@functools.lru_cache(maxsize=64)
def _weights(length: int, to_length: int, align_corners: bool) -> Tensor:
    """Return the matrix of an interpolation, shape (to_length, length): row i holds the weights of the result's i."""
    with torch.no_grad():
        return F.interpolate(torch.eye(length)[None], to_length, mode="linear", align_corners=align_corners)[
            0
        ].T.contiguous()


def _counting(stock: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(stock)
    def accuracy(
        pred: Tensor, target: Tensor, topk: Any = 1, thresh: float | None = None, ignore_index: int | None = None
    ) -> Any:
        if topk != 1 or thresh is not None or pred.ndim != 4 or pred.numel() == 0:
            return stock(pred, target, topk, thresh, ignore_index)
        return share_of_right(pred, target, ignore_index)

    return accuracy


@torch.no_grad()
def share_of_right(scores: Tensor, target: Tensor, ignored: int | None) -> Tensor:
    """Return the percentage of the pixels whose class has the highest score, as `accuracy` of MMSegmentation does.

    Args:
        scores: shape (N, C, height, width).
        target: train ids, shape (N, height, width).
        ignored: train id of the pixels that do not count; None: all count.

    Returns:
        0 to 100, shape (1,); 0 if no pixel counts.
    """
    counts = torch.ones_like(target, dtype=torch.bool) if ignored is None else target != ignored
    has_score = counts & (target >= 0) & (target < scores.shape[1])  # a head for two classes may have one channel
    of_class = scores.gather(1, target.where(has_score, 0)[:, None])[:, 0]
    right = (of_class == scores.amax(1)) & has_score
    epsilon = torch.finfo(torch.float32).eps
    return (right.sum().float()[None] + epsilon) * (100 / (counts.sum().float() + epsilon))
