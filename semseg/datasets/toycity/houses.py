"""Houses: a flat facade is hung into the street, and roofs, gables and awnings are put to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from semseg.datasets.toycity.facades import FLOOR_M, facade_image
from semseg.datasets.toycity.scene import Thing
from semseg.datasets.toycity.stage import Pose, Stage
from semseg.datasets.toycity.style import Style


def building(stage: Stage, style: Style, x: float, z0: float, z1: float, floors: int) -> list[Thing]:
    """Build a house whose facade stands along the street.

    Args:
        stage: camera, light and chance.
        style: of the city.
        x: of the facade, metres; the house extends away from the street.
        z0: near end.
        z1: far end.
        floors: how many.
    """
    rng = stage.rng
    color = style.facade_rgb[rng.integers(len(style.facade_rgb))] + rng.uniform(-14, 14, 3)
    texture = str(rng.choice(style.facade_textures))
    height = floors * FLOOR_M + rng.uniform(0.3, 0.9)
    side = 1.0 if x > 0 else -1.0
    depth = rng.uniform(8, 12)
    is_pitched = stage.chance(style.pitched_roofs)
    marks = _gable(stage, x, side * depth, z0, height, color, texture, is_pitched)
    if is_pitched:
        tile = style.roof_rgb[rng.integers(len(style.roof_rgb))] + rng.uniform(-8, 8, 3)
        slope = np.array([(x - side * 0.3, height, z0), (x - side * 0.3, height, z1)])
        back = slope[::-1] + np.array([side * 3.6, 3.4, 0])
        inside = np.array([x + side * depth, 0, (z0 + z1) / 2])
        marks += stage.face(np.concatenate([slope, back]), inside, tile, texture="brick", grain=0.22, texel_m=0.02)
    else:
        marks += _roof_clutter(stage, x, side, z0, z1, height)
    near = max(z0, abs(x) * 2 * stage.camera.focal_px / stage.camera.width * 0.8)
    fine = float(np.clip(2.2 * stage.px_per_m(near), 5, 26))
    normal = np.array([-side, 0.0, 0.0])
    # seen at a slant a facade is short: what would flicker is not drawn
    share = float(np.clip(2.2 * abs(x) / near, 0.4, 1.0))
    image = facade_image(stage, style, (z1 - z0, height), floors, (fine * share, fine), normal, color, texture)
    ends = (z0, z1) if side < 0 else (z1, z0)
    corners = [(x, 0, ends[0]), (x, 0, ends[1]), (x, height, ends[1]), (x, height, ends[0])]
    front = stage.art(image, np.array(corners, float))
    if stage.chance(style.awnings) and z0 < 60:
        front += _awning(stage, x, side, z0, z1)
    things = [Thing("building", tuple(marks), z0)] if marks else []
    if front:
        things.append(Thing("building", tuple(front), (z0 + z1) / 2, wall_x_m=x))
    return things


def facing_building(stage: Stage, style: Style, x0: float, x1: float, z: float, floors: int) -> list[Thing]:
    """Build a house that faces the camera, at the end of the street or behind a garden."""
    rng = stage.rng
    color = style.facade_rgb[rng.integers(len(style.facade_rgb))] + rng.uniform(-14, 14, 3)
    texture = str(rng.choice(style.facade_textures))
    height = floors * FLOOR_M + 0.5
    fine = float(np.clip(2.2 * stage.px_per_m(z), 4, 26))
    normal = np.array([0, 0, -1.0])
    image = facade_image(stage, style, (x1 - x0, height), floors, (fine, fine), normal, color, texture)
    corners = np.array([(x0, 0, z), (x1, 0, z), (x1, height, z), (x0, height, z)], float)
    marks = []
    if stage.chance(style.pitched_roofs):
        tile = style.roof_rgb[rng.integers(len(style.roof_rgb))]
        rise = rng.uniform(2.0, 3.6)
        roof = np.array(
            [
                (x0 - 0.3, height, z),
                (x1 + 0.3, height, z),
                (x1 - 1.5, height + rise, z + 4),
                (x0 + 1.5, height + rise, z + 4),
            ]
        )
        marks += stage.fill(roof, stage.light.on(tile, np.array([0, 0.6, -0.8])), texture="brick", grain=0.22)
    marks += stage.art(image, corners)
    return [Thing("building", tuple(marks), z)] if marks else []


def _gable(
    stage: Any, x: float, reach: float, z: float, height: float, color: np.ndarray, texture: Any, is_pitched: bool
) -> list:
    """The side of the house that looks at the camera."""
    profile = [(x, 0, z), (x + reach, 0, z), (x + reach, height, z), (x, height, z)]
    if is_pitched:
        profile = [*profile[:3], (x + reach / 2, height + 3.4 * abs(reach) / 7.2, z), profile[3]]
    normal = np.array([0, 0, -1.0])
    lit = stage.light.on(color * 0.94, normal)
    points = np.array(profile, float)
    marks = stage.fill(points, lit * 1.04, lit * 0.86, texture=texture, grain=0.12, texel_m=0.008)
    if marks and stage.chance(0.6):
        for floor in range(int(height // FLOOR_M)):
            up = floor * FLOOR_M + 1.2
            for share in (0.25, 0.6):
                at = x + reach * share
                pane = np.array([(at, up, z), (at + 0.9, up, z), (at + 0.9, up + 1.3, z), (at, up + 1.3, z)])
                marks += stage.fill(pane, stage.light.reflection(0.3), stage.light.reflection(0.1))
    return marks


def _roof_clutter(stage: Stage, x: float, side: float, z0: float, z1: float, height: float) -> list:
    """Water tanks and chimneys on a flat roof."""
    marks = []
    for _ in range(int(stage.rng.integers(0, 3))):
        pose = Pose(x + side * stage.between(1.5, 4), stage.between(z0 + 1, max(z1 - 1, z0 + 1.1)))
        size, tall = stage.between(0.5, 0.9), stage.between(0.8, 1.8)
        color = np.array([150.0, 140, 132]) + stage.rng.uniform(-40, 40)
        marks += stage.box(pose, (-size, size), (height - 0.1, height + tall), (-size, size), color, fade=0.2)
    return marks


def _awning(stage: Stage, x: float, side: float, z0: float, z1: float) -> list:
    """A striped cloth over the shop."""
    length = min(z1 - z0 - 0.7, stage.between(2.5, 5))
    if length < 1.5:
        return []
    start = stage.between(z0 + 0.3, z1 - 0.3 - length)
    first, second = stage.rng.uniform(40, 235, 3), np.array([236.0, 232, 222])
    marks, count = [], max(4, int(length / 0.5))
    for index in range(count):
        a, b = start + length * index / count, start + length * (index + 1) / count
        color = stage.light.on(first if index % 2 else second, np.array([-side * 0.5, 0.85, 0]))
        out = x - side * 1.1
        slope = np.array([(x, 2.95, a), (x, 2.95, b), (out, 2.4, b), (out, 2.4, a)])
        skirt = np.array([(out, 2.4, a), (out, 2.4, b), (out, 2.15, b), (out, 2.15, a)])
        marks += stage.fill(slope, color * 0.8) + stage.fill(skirt, color)
    end = np.array([(x, 2.95, start), (x - side * 1.1, 2.4, start), (x - side * 1.1, 2.15, start), (x, 2.4, start)])
    return marks + stage.fill(end, stage.light.on(first) * 0.7)
