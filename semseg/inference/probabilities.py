"""How sure a prediction is: probabilities, entropy and margin of every pixel."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from semseg.errors import InvalidInputError

_ROWS = 128  # of an image at a time: bounds the memory of what is computed from the probabilities


def decode_heads(model: nn.Module) -> list[nn.Module]:
    """Return the heads that lead to the prediction, the last of a cascade last.

    Raises:
        ValueError: the model does not give a score per class and pixel.
    """
    from mmseg.models.decode_heads.decode_head import BaseDecodeHead
    from mmseg.models.segmentors import EncoderDecoder

    heads = getattr(model, "decode_head", None)
    heads = list(heads) if isinstance(heads, nn.ModuleList) else [heads]
    if not isinstance(model, EncoderDecoder) or not all(isinstance(head, BaseDecodeHead) for head in heads):
        what = type(heads[-1] if isinstance(model, EncoderDecoder) else model).__name__
        raise InvalidInputError(
            f"{what} does not score every class at every pixel; expected an EncoderDecoder whose decode head does"
        )
    return heads


def kind_of_scores(model: nn.Module) -> str:
    """Return how the scores of a model become probabilities, as its loss treats them.

    Returns:
        `softmax`; `sigmoid` where each class was learnt by itself (focal loss, `use_sigmoid`); `binary` where
        one channel decides between two classes.

    Raises:
        ValueError: from `decode_heads`.
    """
    head = decode_heads(model)[-1]
    if head.out_channels == 1:
        return "binary"
    losses = head.loss_decode if isinstance(head.loss_decode, nn.ModuleList) else [head.loss_decode]
    return "sigmoid" if all(getattr(loss, "use_sigmoid", False) for loss in losses) else "softmax"


def to_probabilities(scores: torch.Tensor, kind: str) -> np.ndarray:
    """Turn scores into probabilities that sum to 1 at every pixel, and keep their order.

    Sigmoids need not sum to 1; they are divided by their sum.

    Args:
        scores: from `Predictor.scores`; overwritten, since those of a large photograph fill gigabytes.
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
    """Return how much the classes share each pixel: 0 one class alone, 1 all of them alike.

    Shannon's entropy divided by the logarithm of the number of classes.

    Args:
        probabilities: shape (num_classes, height, width), at least two classes.

    Returns:
        float32, shape (height, width), 0 to 1.
    """
    found = np.empty(probabilities.shape[1:], np.float32)
    for top in range(0, len(found), _ROWS):
        part = probabilities[:, top : top + _ROWS]
        found[top : top + _ROWS] = -(part * np.log(np.maximum(part, 1e-30))).sum(axis=0)
    return np.clip(found / math.log(len(probabilities)), 0, 1)


def margin(probabilities: np.ndarray) -> np.ndarray:
    """Return by how much the most probable class leads: 0 a tie with the second, 1 certain.

    Args:
        probabilities: shape (num_classes, height, width), at least two classes.

    Returns:
        float32, shape (height, width), 0 to 1.
    """
    found = np.empty(probabilities.shape[1:], np.float32)
    for top in range(0, len(found), _ROWS):
        second, first = np.partition(probabilities[:, top : top + _ROWS], -2, axis=0)[-2:]
        found[top : top + _ROWS] = first - second
    return found
