"""Functions on scores that work on some rows at a time, so that the scores of a whole image are never in memory.

Shapes: N images, C classes, H rows, W columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch.nn import functional

from semseg.evaluation.finite import refuse_not_finite

_BAND_BYTES = 8 << 20  # of scores, on a CPU: they stay in its cache while they are used
_BAND_BYTES_ON_GPU = 256 << 20


def rows_at_once(num_images: int, num_classes: int, width: int, device: torch.device) -> int:
    """Return how many rows of scores are processed at a time."""
    row_bytes = 4 * num_images * num_classes * width
    return max(8, (_BAND_BYTES_ON_GPU if device.type == "cuda" else _BAND_BYTES) // row_bytes)


def resize_bands(
    bands: Iterable[torch.Tensor],
    old_size: tuple[int, int],
    new_size: tuple[int, int],
    align_corners: bool | None,
    num_rows: int,
) -> Iterator[torch.Tensor]:
    """Resize scores bilinearly, as `torch.nn.functional.interpolate` does for the whole image.

    Every row is computed with its coordinates in the whole image, so that the bands leave no trace in the result; sums
    are rounded in another order, which changes the last bits.

    Args:
        bands: float32, shape (N, C, any number of rows, old width), from top to bottom.
        old_size: of the image: height, width.
        new_size: height, width.
        align_corners: as for `interpolate`.
        num_rows: of each band of the result; the last one may have fewer.

    Yields:
        float32, shape (N, C, num_rows, new width), from top to bottom.
    """
    bands = iter(bands)
    low, high, share = _sources(old_size[0], new_size[0], bool(align_corners))
    held, first = next(bands), 0
    for top in range(0, new_size[0], num_rows):
        rows = slice(top, min(top + num_rows, new_size[0]))
        begin, end = int(low[rows][0]), int(high[rows][-1]) + 1
        while first + held.shape[2] < end:
            done = min(max(0, begin - first), held.shape[2])
            held, first = held[:, :, done:], first + done
            more = next(bands)
            held = torch.cat([held, more], dim=2) if held.shape[2] else more
        part = held[:, :, begin - first : end - first]
        if old_size[1] != new_size[1]:
            part = functional.interpolate(
                part, (part.shape[2], new_size[1]), mode="bilinear", align_corners=align_corners
            )
        if old_size[0] != new_size[0]:
            weights = torch.zeros(rows.stop - top, end - begin)
            at = torch.arange(len(weights))
            weights[at, low[rows] - begin] += 1 - share[rows]
            weights[at, high[rows] - begin] += share[rows]
            part = weights.to(part.device) @ part
        yield part


def _sources(old: int, new: int, align_corners: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return for each new row the two old rows around it, and the weight of the second."""
    new_rows = torch.arange(new, dtype=torch.float32)
    if old == new:
        return new_rows.long(), new_rows.long(), torch.zeros(new)
    if align_corners:
        source = new_rows * ((old - 1) / (new - 1) if new > 1 else 0.0)
    else:
        source = ((new_rows + 0.5) * (old / new) - 0.5).clamp_min(0)
    low = source.long().clamp_max(old - 1)
    return low, (low + 1).clamp_max(old - 1), (source - low).clamp(0, 1)


def crop_bands(
    bands: Iterable[torch.Tensor], padding: tuple[int, int, int, int], size: tuple[int, int]
) -> Iterator[torch.Tensor]:
    """Remove the padding of an image.

    Args:
        bands: shape (N, C, any number of rows, W), from top to bottom.
        padding: left, right, top, bottom.
        size: what remains: height, width.
    """
    left, _, top, _ = padding
    at = -top
    for band in bands:
        part = band[:, :, max(0, -at) : size[0] - at, left : left + size[1]]
        at += band.shape[2]
        if part.shape[2]:
            yield part
        if at >= size[0]:
            return


def classify(scores: torch.Tensor, kind: str, threshold: float | None) -> torch.Tensor:
    """Return the train ids of the classes that win, by the rules of MMSegmentation.

    Args:
        scores: float32, shape (N, C, H, W).
        kind: of the scores, see `probabilities_of`.
        threshold: of the second class; None if there is not one channel that decides between two classes.

    Returns:
        uint8, shape (N, H, W).

    Raises:
        NotFiniteError: the scores are NaN or infinite.
    """
    if scores.shape[1] == 1:
        refuse_not_finite(scores)
        assert threshold is not None
        # without "binary": probabilities of the second class, the mean over several views
        second = scores[:, 0].sigmoid() if kind == "binary" else scores[:, 0]
        return (second > threshold).to(torch.uint8)
    if scores.device.type == "cuda":
        best, train_ids = scores.max(dim=1)
        refuse_not_finite(best)
        return train_ids.to(torch.uint8)
    # argmax visits all classes of a pixel before the next pixel, which is four times slower on a CPU
    best = scores[:, 0].clone()
    train_ids = torch.zeros(best.shape, dtype=torch.uint8)
    for index in range(1, scores.shape[1]):
        train_ids.masked_fill_(scores[:, index] > best, index)
        torch.maximum(best, scores[:, index], out=best)
    refuse_not_finite(best)
    return train_ids


def probabilities_of(scores: torch.Tensor, kind: str) -> torch.Tensor:
    """Turn scores into probabilities.

    Args:
        scores: float32, shape (N, C, H, W).
        kind: `softmax`, `sigmoid` or `binary` as from `kind_of_scores`, or `probabilities`: the scores are
            probabilities already.

    Returns:
        float32, shape (N, C, H, W); if one channel decides between two classes: of the second.
    """
    if kind == "probabilities":
        return scores
    if kind == "binary":
        return scores.sigmoid()
    if kind == "softmax":
        return scores.softmax(dim=1)
    probabilities = scores.sigmoid()
    return probabilities.div_(probabilities.sum(dim=1, keepdim=True))


def entropy_of(probabilities: torch.Tensor) -> torch.Tensor:
    """Return how evenly the probability is spread over the classes: 0 one class has all of it, 1 all have the same.

    Shannon's entropy in natural logarithms, divided by the logarithm of the number of classes.

    Args:
        probabilities: float32, shape (N, C, H, W), at least two classes, that sum to 1.

    Returns:
        float32, shape (N, H, W).
    """
    return torch.special.entr(probabilities).sum(dim=1).div_(math.log(probabilities.shape[1])).clamp_(0, 1)
