"""Uncertainty of predictions: probabilities, entropy and margin of every pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from semseg.errors import InvalidInputError

_ROWS = 128  # of an image at a time: limits the memory that is needed


def decode_heads(model: nn.Module) -> list[nn.Module]:
    """Return the decode heads of a model: one, or those of a cascade in their order.

    Raises:
        ValueError: the model does not compute a score per class and pixel.
    """
    from mmseg.models.decode_heads.decode_head import BaseDecodeHead
    from mmseg.models.segmentors import EncoderDecoder

    head: Any = getattr(model, "decode_head", None)
    heads: list[nn.Module] = list(head) if isinstance(head, nn.ModuleList) else [head]
    if not isinstance(model, EncoderDecoder) or not all(isinstance(head, BaseDecodeHead) for head in heads):
        what = type(heads[-1] if isinstance(model, EncoderDecoder) else model).__name__
        raise InvalidInputError(
            f"{what} does not score every class at every pixel; expected an EncoderDecoder whose decode head does",
            code="E-input-model",
        )
    return heads


def kind_of_scores(model: nn.Module) -> str:
    """Return how the scores of a model become probabilities, which depends on the loss that it was trained with.

    Returns:
        `softmax`; `sigmoid` if each class was learnt separately (focal loss, `use_sigmoid`); `binary` if one channel
        decides between two classes.

    Raises:
        ValueError: from `decode_heads`.
    """
    head: Any = decode_heads(model)[-1]
    head = getattr(head, "kernel_generate_head", head)  # K-Net: the losses belong to this inner head
    if head.out_channels == 1:
        return "binary"
    losses = head.loss_decode if isinstance(head.loss_decode, nn.ModuleList) else [head.loss_decode]
    return "sigmoid" if all(getattr(loss, "use_sigmoid", False) for loss in losses) else "softmax"


def to_probabilities(scores: torch.Tensor, kind: str) -> np.ndarray:
    """Turn scores into probabilities that sum to 1 at every pixel and have the order of the scores.

    Sigmoids need not sum to 1; they are divided by their sum.

    Args:
        scores: from `Predictor.scores`; overwritten, because those of a large photograph take gigabytes.
        kind: from `kind_of_scores`.

    Returns:
        float32, shape (num_classes, height, width).
    """
    scores = scores.float()
    if kind == "binary":
        return torch.cat([1 - scores, scores]).cpu().numpy()
    if kind == "sigmoid":
        scores.sigmoid_()
    else:
        scores.sub_(scores.amax(dim=0)).exp_()
    return scores.div_(scores.sum(dim=0)).cpu().numpy()


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Return how evenly the probability is spread over the classes: 0 one class has all of it, 1 all have the same.

    Shannon's entropy divided by the logarithm of the number of classes.

    Args:
        probabilities: shape (num_classes, height, width), at least two classes.

    Returns:
        float32, shape (height, width), 0 to 1.
    """
    entropies = np.empty(probabilities.shape[1:], np.float32)
    for top in range(0, len(entropies), _ROWS):
        part = probabilities[:, top : top + _ROWS]
        entropies[top : top + _ROWS] = -(part * np.log(np.maximum(part, 1e-30))).sum(axis=0)
    return np.clip(entropies / math.log(len(probabilities)), 0, 1)


def margin(probabilities: np.ndarray) -> np.ndarray:
    """Return the probability of the most probable class minus that of the second: 0 a tie, 1 certain.

    Args:
        probabilities: shape (num_classes, height, width), at least two classes.

    Returns:
        float32, shape (height, width), 0 to 1.
    """
    margins = np.empty(probabilities.shape[1:], np.float32)
    for top in range(0, len(margins), _ROWS):
        second, first = np.partition(probabilities[:, top : top + _ROWS], -2, axis=0)[-2:]
        margins[top : top + _ROWS] = first - second
    return margins
