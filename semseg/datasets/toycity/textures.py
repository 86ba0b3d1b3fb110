"""Surfaces as square tiles: float32, EDGE x EDGE, mean 0, about -1 to 1; drawn once per process.

The tiles are the same for every seed; where a tile begins, its scale and contrast vary.
"""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np

EDGE = 512
_LEVELS = 6


@cache
def tile(name: str) -> np.ndarray:
    """Return the tile of a name: grain, cloud, asphalt, leaf, grass, slab, cobble, brick, stone, plaster.

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
    """Cut a piece out of a tile, repeating it where it ends.

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


@cache
def _level(name: str, level: int) -> np.ndarray:
    """A tile made smaller by 2**level, for surfaces that are far away, and laid twice by twice."""
    edge = EDGE >> level
    return np.tile(cv2.resize(tile(name), (edge, edge), interpolation=cv2.INTER_AREA), (2, 2))


def _noise(rng: np.random.Generator, exponent: float) -> np.ndarray:
    """Noise whose amplitude falls with frequency; it repeats without a seam."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(EDGE), np.fft.fftfreq(EDGE), indexing="ij")) * EDGE
    frequency[0, 0] = 1.0
    spectrum = np.fft.fft2(rng.standard_normal((EDGE, EDGE))) / frequency**exponent
    noise = np.fft.ifft2(spectrum).real
    return noise / noise.std()


def _asphalt(rng: np.random.Generator) -> np.ndarray:
    return _noise(rng, 0.25) + 0.8 * _noise(rng, 1.4)


def _strokes(rng: np.random.Generator, count: int, is_leaf: bool) -> np.ndarray:
    """Leaves or blades of grass, drawn over one another in random tones, repeating without a seam."""
    canvas = np.full((EDGE, EDGE), 0.4, np.float32)
    for x, y, tone, size, angle in zip(
        rng.uniform(0, EDGE, count),
        rng.uniform(0, EDGE, count),
        rng.beta(1.6, 2.2, count),
        rng.uniform(0.6, 1.4, count),
        rng.uniform(0, 180, count),
        strict=True,
    ):
        for dx in (0, EDGE, -EDGE):
            for dy in (0, EDGE, -EDGE):
                if not (-20 < x + dx < EDGE + 20 and -20 < y + dy < EDGE + 20):
                    continue
                at = (int(x + dx), int(y + dy))
                if is_leaf:
                    axes = (max(1, int(7 * size)), max(1, int(4 * size)))
                    cv2.ellipse(canvas, at, axes, angle, 0, 360, float(tone), -1)
                else:
                    to = (at[0] + int((angle - 90) / 18), at[1] - int(14 * size))
                    cv2.line(canvas, at, to, float(tone), 1)
    return canvas


def _leaf(rng: np.random.Generator) -> np.ndarray:
    return _strokes(rng, 6000, True) + 0.12 * _noise(rng, 1.2)


def _grass(rng: np.random.Generator) -> np.ndarray:
    return _strokes(rng, 9000, False) + 0.1 * _noise(rng, 1.3)


def _courses(rng: np.random.Generator, row_px: int, block_px: int, joint: float, wobble: float) -> np.ndarray:
    """Rows of blocks with a tone each and joints between them; rows alternate by half a block."""
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


def _brick(rng: np.random.Generator) -> np.ndarray:
    return _courses(rng, 16, 44, 1.1, 0.05)


def _stone(rng: np.random.Generator) -> np.ndarray:
    return _courses(rng, 32, 64, -1.4, 0.45)


def _slab(rng: np.random.Generator) -> np.ndarray:
    return _courses(rng, 64, 64, -1.6, 0.0) + 0.3 * _noise(rng, 1.2)


def _cobble(rng: np.random.Generator) -> np.ndarray:
    return _courses(rng, 16, 20, -1.3, 0.2)


def _baldosa(rng: np.random.Generator) -> np.ndarray:
    """The ribbed pavement tiles of Rosario: squares whose grooves alternate in direction."""
    canvas = np.zeros((EDGE, EDGE), np.float32)
    for row in range(0, EDGE, 32):
        for column in range(0, EDGE, 32):
            square = canvas[row : row + 32, column : column + 32]
            square += rng.normal(0, 0.3)
            lines = square if (row + column) // 32 % 2 else square.T
            lines[::6] -= 0.7
            square[:2] = square[:, :2] = -1.2
    return canvas + 0.2 * _noise(rng, 0.6)


def _plaster(rng: np.random.Generator) -> np.ndarray:
    return _noise(rng, 0.5) + 1.0 * _noise(rng, 1.5)


_DRAWERS = {
    "grain": lambda rng: _noise(rng, 0.0),
    "cloud": lambda rng: _noise(rng, 1.7),
    "asphalt": _asphalt,
    "leaf": _leaf,
    "grass": _grass,
    "slab": _slab,
    "cobble": _cobble,
    "baldosa": _baldosa,
    "brick": _brick,
    "stone": _stone,
    "plaster": _plaster,
}
