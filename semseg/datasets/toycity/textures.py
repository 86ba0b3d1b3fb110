"""Surfaces as square tiles: float32, EDGE x EDGE, mean 0, about -1 to 1; drawn once per process.

The tiles are the same for every seed; the offset, scale and contrast that they are used with vary.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

EDGE = 512
_LEVELS = 6


@cache
def tile(name: str) -> np.ndarray:
    """Return the tile of a name, one of `_DRAWERS`.

    Returns:
        float32, shape (EDGE, EDGE), read-only.
    """
    rng = np.random.default_rng(sum(name.encode()))
    drawn = _DRAWERS[name](rng)
    drawn = drawn - drawn.mean()
    drawn = (drawn / (2.0 * drawn.std() + 1e-6)).clip(-1.5, 1.5).astype(np.float32)
    drawn.setflags(write=False)
    return drawn


def window(name: str, offset: tuple[int, int], width: int, height: int, scale: float) -> np.ndarray:
    """Cut a piece out of a tile, repeating the tile at its edges.

    Args:
        name: of the tile.
        offset: column and row to begin at.
        width: of the piece in pixels.
        height: of the piece in pixels.
        scale: pixels of the piece per pixel of the tile.

    Returns:
        float32, shape (height, width).
    """
    level = max(0, min(_LEVELS - 1, int(np.log2(max(1.0 / scale, 1.0)))))
    piece, scale = _level(name, level), scale * 2**level
    edge = len(piece) // 2
    left, top = (offset[0] >> level) % edge, (offset[1] >> level) % edge
    columns, rows = math.ceil(width / scale) + 1, math.ceil(height / scale) + 1
    if columns <= edge and rows <= edge:
        piece = piece[top : top + rows, left : left + columns]
    else:
        piece = piece[(np.arange(rows)[:, None] + top) % edge, (np.arange(columns) + left) % edge]
    return cv2.resize(piece, (width, height), interpolation=cv2.INTER_LINEAR)


def sample(name: str, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Read a tile at real coordinates, repeating it.

    Args:
        name: of the tile.
        columns: in pixels of the tile, any real numbers, shape (height, width).
        rows: same shape.

    Returns:
        float32, same shape.
    """
    columns, rows = (np.mod(place, EDGE).astype(np.float32) for place in (columns, rows))
    return cv2.remap(tile(name), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


@cache
def _level(name: str, level: int) -> np.ndarray:
    """Return a tile reduced by 2**level, for distant surfaces, and repeated twice in both directions."""
    edge = EDGE >> level
    return np.tile(cv2.resize(tile(name), (edge, edge), interpolation=cv2.INTER_AREA), (2, 2))


def _noise(rng: np.random.Generator, exponent: float) -> np.ndarray:
    """Return noise whose amplitude is 1 / frequency**exponent; it repeats without a seam."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(EDGE), np.fft.fftfreq(EDGE), indexing="ij")) * EDGE
    frequency[0, 0] = 1.0
    spectrum = np.fft.fft2(rng.standard_normal((EDGE, EDGE))) / frequency**exponent
    noise = np.fft.ifft2(spectrum).real
    return noise / noise.std()


def _strokes(rng: np.random.Generator, num_strokes: int, is_leaf: bool) -> np.ndarray:
    """Draw leaves or blades of grass over one another in random tones; the tile repeats without a seam."""
    canvas = np.full((EDGE, EDGE), 0.4, np.float32)
    for x, y, tone, size, angle in zip(
        rng.uniform(0, EDGE, num_strokes),
        rng.uniform(0, EDGE, num_strokes),
        rng.beta(1.6, 2.2, num_strokes),
        rng.uniform(0.6, 1.4, num_strokes),
        rng.uniform(0, 180, num_strokes),
        strict=True,
    ):
        for dx in (0, EDGE, -EDGE):
            for dy in (0, EDGE, -EDGE):
                if not (-20 < x + dx < EDGE + 20 and -20 < y + dy < EDGE + 20):
                    continue
                start = (int(x + dx), int(y + dy))
                if is_leaf:
                    axes = (max(1, int(7 * size)), max(1, int(4 * size)))
                    cv2.ellipse(canvas, start, axes, angle, 0, 360, float(tone), -1)
                else:
                    end = (start[0] + int((angle - 90) / 18), start[1] - int(14 * size))
                    cv2.line(canvas, start, end, float(tone), 1)
    return canvas


def _courses(rng: np.random.Generator, row_px: int, block_px: int, joint: float, wobble: float) -> np.ndarray:
    """Draw rows of blocks with a tone each and joints between them; every second row is shifted by half a block."""
    canvas = np.zeros((EDGE, EDGE), np.float32)
    for number, top in enumerate(range(0, EDGE, row_px)):
        left = -(block_px // 2) * (number % 2)
        while left < EDGE:
            length = max(4, int(block_px * rng.uniform(1 - wobble, 1 + wobble)))
            canvas[top : top + row_px, max(left, 0) : left + length] = rng.normal(0, 0.35)
            canvas[top : top + row_px, max(left, 0) : max(left, 0) + 2] = joint
            left += length
        canvas[top : top + 2] = joint
    return canvas + 0.25 * _noise(rng, 0.4)


def _baldosa(rng: np.random.Generator) -> np.ndarray:
    """Draw the ribbed pavement tiles of Rosario: squares whose grooves alternate in direction."""
    canvas = np.zeros((EDGE, EDGE), np.float32)
    for row in range(0, EDGE, 32):
        for column in range(0, EDGE, 32):
            square = canvas[row : row + 32, column : column + 32]
            square += rng.normal(0, 0.3)
            lines = square if (row + column) // 32 % 2 else square.T
            lines[::6] -= 0.7
            square[:2] = square[:, :2] = -1.2
    return canvas + 0.2 * _noise(rng, 0.6)


_DRAWERS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "grain": lambda rng: _noise(rng, 0.0),
    "cloud": lambda rng: _noise(rng, 1.7),
    "asphalt": lambda rng: _noise(rng, 0.25) + 0.8 * _noise(rng, 1.4),
    "leaf": lambda rng: _strokes(rng, 6000, is_leaf=True) + 0.12 * _noise(rng, 1.2),
    "grass": lambda rng: _strokes(rng, 9000, is_leaf=False) + 0.1 * _noise(rng, 1.3),
    "slab": lambda rng: _courses(rng, row_px=64, block_px=64, joint=-1.6, wobble=0.0) + 0.3 * _noise(rng, 1.2),
    "cobble": lambda rng: _courses(rng, row_px=16, block_px=20, joint=-1.3, wobble=0.2),
    "baldosa": _baldosa,
    "brick": lambda rng: _courses(rng, row_px=16, block_px=44, joint=1.1, wobble=0.05),
    "stone": lambda rng: _courses(rng, row_px=32, block_px=64, joint=-1.4, wobble=0.45),
    "plaster": lambda rng: _noise(rng, 0.5) + 1.0 * _noise(rng, 1.5),
}
