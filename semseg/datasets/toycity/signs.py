"""Traffic signs and boards with place names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from semseg.datasets.toycity.furniture import STEEL
from semseg.datasets.toycity.scene import Mark, Thing
from semseg.datasets.toycity.stage import Stage, disc, plate
from semseg.datasets.toycity.style import colors

BOARD_COLORS = colors("#1e50aa #f0c828 #1e6e46 #f0f0ee")


def traffic_sign(stage: Stage, x: float, z: float) -> list[Thing]:
    """Build a post with one or two signs."""
    height = stage.between(2.3, 3.0)
    marks = stage.blob(np.array([(x, 0, z), (x, height + 0.3, z)]), [0.055, 0.05], STEEL, rounded=True)
    signs = []
    for index in range(2 if stage.chance(0.35) else 1):
        signs += _sign_face(stage, x, height - 0.78 * index, z - 0.07)
    return [Thing("pole", tuple(marks), z), Thing("traffic sign", tuple(signs), z - 0.07)]


def direction_board(stage: Stage, x: float, z: float) -> list[Thing]:
    """Build a board with place names on two posts."""
    light = stage.light
    width, height, bottom = stage.between(1.6, 2.4), stage.between(0.9, 1.3), stage.between(2.2, 2.6)
    left, right, top = x - width / 2, x + width / 2, bottom + height
    posts = []
    for post_x in (x - width * 0.35, x + width * 0.35):
        posts += stage.blob(np.array([(post_x, 0, z), (post_x, top, z)]), [0.06, 0.06], STEEL, rounded=True)
    color = stage.pick_color(BOARD_COLORS)
    ink = light.shade(np.array([245.0, 245, 245]) if color.sum() < 400 else np.array([20.0, 20, 22]))
    edge = 0.05
    board = stage.fill(plate(left, right, bottom, top, z - 0.08), ink)
    inner = plate(left + edge, right - edge, bottom + edge, top - edge, z - 0.09)
    board += stage.fill(inner, light.shade(color))
    for row in np.arange(top - 0.3, bottom + 0.1, -0.28):
        column = left + 0.45
        tip, tail = column - 0.3, column - 0.12
        board += stage.fill(
            np.array([(tip, row, z - 0.1), (tail, row + 0.1, z - 0.1), (tail, row - 0.1, z - 0.1)]), ink
        )
        while column < right - 0.35:
            letter = stage.between(0.07, 0.2)
            board += stage.fill(plate(column, column + letter, row - 0.07, row + 0.07, z - 0.1), ink)
            column += letter + 0.05
    return [Thing("pole", tuple(posts), z), Thing("traffic sign", tuple(board), z - 0.08)]


@dataclass(frozen=True)
class _Disc:
    """A part of a traffic sign, in units of the radius of the sign."""

    color: str
    radius: float
    num_corners: int = 16
    turn: float = 0.0  # radians
    centre: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class _Bar:
    """A rectangle of a traffic sign, in units of the radius of the sign."""

    color: str
    right: tuple[float, float]
    up: tuple[float, float]


_SIGN_COLORS = {"red": "#cd1c24", "blue": "#1c54b0", "white": "#f0f0ee", "black": "#161618", "yellow": "#f5c81e"}
_DIGITS_UP, _LETTERS_UP = (-0.34, 0.34), (-0.22, 0.22)
_SIGNS: dict[str, list[_Disc | _Bar]] = {
    "limit": [
        _Disc("red", 1.0),
        _Disc("white", 0.76),
        *(_Bar("black", (left, left + 0.26), _DIGITS_UP) for left in (-0.36, 0.1)),
    ],
    "warning": [
        _Disc("red", 1.15, 3, np.pi / 2),
        _Disc("white", 0.76, 3, np.pi / 2),
        _Bar("black", (-0.05, 0.06), (-0.2, 0.3)),
    ],
    "yield": [_Disc("red", 1.15, 3, -np.pi / 2), _Disc("white", 0.76, 3, -np.pi / 2)],
    "stop": [
        _Disc("white", 1.05, 8, np.pi / 8),
        _Disc("red", 0.96, 8, np.pi / 8),
        *(_Bar("white", (left, left + 0.2), _LETTERS_UP) for left in (-0.6, -0.28, 0.05, 0.36)),
    ],
    "mandatory": [
        _Disc("white", 1.0),
        _Disc("blue", 0.94),
        _Bar("white", (-0.08, 0.08), (-0.5, 0.2)),
        _Disc("white", 0.32, 3, np.pi / 2, centre=(0.0, 0.3)),
    ],
    "parking": [
        _Bar("white", (-0.8, 0.8), (-1.0, 1.0)),
        _Bar("blue", (-0.74, 0.74), (-0.94, 0.94)),
        _Bar("white", (-0.3, -0.08), (-0.55, 0.6)),
        _Disc("white", 0.34, centre=(0.06, 0.26)),
    ],
    "priority": [_Disc("white", 1.1, 4), _Disc("yellow", 0.76, 4)],
    "no entry": [_Disc("white", 1.0), _Disc("red", 0.95), _Bar("white", (-0.65, 0.65), (-0.14, 0.14))],
}


def _sign_face(stage: Stage, x: float, y: float, z: float) -> list[Mark]:
    r = stage.rng.uniform(0.32, 0.44)
    marks: list[Mark] = []
    for part in _SIGNS[str(stage.rng.choice(list(_SIGNS)))]:
        if isinstance(part, _Disc):
            right, up = part.centre
            shape = disc(x + right * r, y + up * r, z, r * part.radius, part.num_corners, part.turn)
        else:
            shape = plate(x + part.right[0] * r, x + part.right[1] * r, y + part.up[0] * r, y + part.up[1] * r, z)
        marks += stage.fill(shape, stage.light.shade(colors(_SIGN_COLORS[part.color])[0]))
    return marks
