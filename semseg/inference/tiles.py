"""Pictures in overlapping windows: where they lie, and how their scores become one picture without seams."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import torch

_ROWS = 32  # given away at a time


def starts(length: int, window: int, stride: int) -> list[int]:
    """Return where the windows begin along one side, as MMSegmentation places them: the last one ends at the edge."""
    count = max(length - window + stride - 1, 0) // stride + 1
    return [max(min(i * stride, length - window), 0) for i in range(count)]


def ramp(length: int, overlap: int) -> torch.Tensor:
    """Return the weights of a window along one side: they grow over the overlap, and are highest in between.

    Returns:
        float32, shape (length,), above 0 to 1.
    """
    from_edge = torch.minimum(torch.arange(1, length + 1), torch.arange(length, 0, -1))
    return (from_edge / (overlap + 1)).clamp_max(1.0)


def blended(
    scores_of: Callable[[int, int, int, int], torch.Tensor],
    size: tuple[int, int],
    window: tuple[int, int],
    stride: tuple[int, int],
    smooth: bool,
) -> Iterator[torch.Tensor]:
    """Average the scores of overlapping windows; no more than a row of windows is kept.

    Args:
        scores_of: gives the scores of a window, float32, shape (N, C, height, width), by its top, bottom, left and
            right.
        size: of the picture: height, width.
        window: height, width.
        stride: from one window to the next: height, width.
        smooth: whether a window counts less towards its edges; otherwise all of it counts alike, as in
            MMSegmentation's `slide_inference`.

    Yields:
        float32, shape (N, C, some rows, width of the picture), from top to bottom.
    """
    height, width = min(window[0], size[0]), min(window[1], size[1])
    tops, lefts = starts(size[0], height, stride[0]), starts(size[1], width, stride[1])
    weights = torch.ones(height, width)
    if smooth:
        sides = zip((height, width), stride, strict=True)
        down, across = (ramp(side, max(0, side - step)) for side, step in sides)
        weights = down[:, None] * across
    total = count = None
    for top, following in itertools.zip_longest(tops, tops[1:], fillvalue=size[0]):
        for left in lefts:
            scores = scores_of(top, top + height, left, left + width)
            if total is None:
                total = scores.new_zeros(*scores.shape[:2], height, size[1])
                count = scores.new_zeros(height, size[1])
                weights = weights.to(scores)
            total[..., left : left + width].add_(scores.mul_(weights) if smooth else scores)
            count[:, left : left + width] += weights
        finished = following - top
        for row in range(0, finished, _ROWS):
            rows = slice(row, min(row + _ROWS, finished))
            yield total[:, :, rows] / count[rows]
        rest = height - finished
        if rest:  # the overlap with the next row of windows
            total[:, :, :rest] = total[:, :, finished:].clone()
            count[:rest] = count[finished:].clone()
        total[:, :, rest:] = 0
        count[rest:] = 0
