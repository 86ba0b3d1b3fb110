"""Images in overlapping windows: where the windows are, and how their scores are blended without seams."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import torch

from semseg.errors import InvalidInputError

_ROWS = 32  # that are returned at a time


def check_tiles(tile: int | None, overlap: float) -> None:
    """Raise a ValueError for a tile that is no number of pixels, or an overlap that is not 0 to below 1."""
    if tile is not None and tile < 1:
        raise InvalidInputError(
            f"`tile` {tile}: expected the side of a window in pixels, 1 or more", code="E-input-range"
        )
    if not 0 <= overlap < 1:
        raise InvalidInputError(
            f"`overlap` {overlap}: expected a share of the tile, 0 to below 1", code="E-input-range"
        )


def window_starts(length: int, window: int, stride: int) -> list[int]:
    """Return where the windows start along one side, as in MMSegmentation: the last one ends at the edge."""
    count = max(length - window + stride - 1, 0) // stride + 1
    return [max(min(i * stride, length - window), 0) for i in range(count)]


def window_weights(length: int, overlap: int) -> torch.Tensor:
    """Return the weights of a window along one side: they increase over the overlap, and are 1 in between.

    Returns:
        float32, shape (length,), above 0 to 1.
    """
    from_edge = torch.minimum(torch.arange(1, length + 1), torch.arange(length, 0, -1))
    return (from_edge / (overlap + 1)).clamp_max(1.0)


def blend_windows(
    scores_of: Callable[[int, int, int, int], torch.Tensor],
    size: tuple[int, int],
    window: tuple[int, int],
    stride: tuple[int, int],
    smooth: bool,
) -> Iterator[torch.Tensor]:
    """Average the scores of overlapping windows; only one row of windows is in memory.

    Args:
        scores_of: returns the scores of a window, float32, shape (N, C, height, width), for its top, bottom, left and
            right.
        size: of the image: height, width.
        window: height, width.
        stride: from one window to the next: height, width.
        smooth: whether the weight of a window decreases towards its edges; otherwise all its pixels have the same
            weight, as in MMSegmentation's `slide_inference`.

    Yields:
        float32, shape (N, C, some rows, width of the image), from top to bottom.
    """
    height, width = min(window[0], size[0]), min(window[1], size[1])
    tops, lefts = window_starts(size[0], height, stride[0]), window_starts(size[1], width, stride[1])
    weights = torch.ones(height, width)
    if smooth:
        sides = zip((height, width), stride, strict=True)
        down, across = (window_weights(side, max(0, side - step)) for side, step in sides)
        weights = down[:, None] * across
    total: torch.Tensor | None = None
    total_weights = torch.zeros(height, size[1])
    for top, following in itertools.zip_longest(tops, tops[1:], fillvalue=size[0]):
        for left in lefts:
            scores = scores_of(top, top + height, left, left + width)
            if total is None:
                total = scores.new_zeros(*scores.shape[:2], height, size[1])
                total_weights = total_weights.to(scores)
                weights = weights.to(scores)
            total[..., left : left + width].add_(scores.mul_(weights) if smooth else scores)
            total_weights[:, left : left + width] += weights
        assert total is not None
        finished = following - top
        for row in range(0, finished, _ROWS):
            rows = slice(row, min(row + _ROWS, finished))
            yield total[:, :, rows] / total_weights[rows]
        rest = height - finished
        if rest:  # the overlap with the next row of windows
            total[:, :, :rest] = total[:, :, finished:].clone()
            total_weights[:rest] = total_weights[finished:].clone()
        total[:, :, rest:] = 0
        total_weights[rest:] = 0
