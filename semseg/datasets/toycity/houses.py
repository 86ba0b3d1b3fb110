"""Houses: a flat facade in perspective, with roof, gable and awning."""

from __future__ import annotations

import numpy as np

from semseg.datasets.toycity.facades import FLOOR_M, facade_image
from semseg.datasets.toycity.scene import Mark, Thing
from semseg.datasets.toycity.stage import Pose, Stage, plate
from semseg.datasets.toycity.style import Style


def building(stage: Stage, style: Style, x: float, z0: float, z1: float, floors: int) -> list[Thing]:
    """Build a house whose facade stands along the street.

    Args:
        stage: camera, light and random generator.
        style: of the city.
        x: of the facade, metres; the house extends away from the street.
        z0: near end.
        z1: far end.
        floors: how many.
    """
    rng = stage.rng
    color = stage.pick_color(style.facade_rgb, 14)
    texture = str(rng.choice(style.facade_textures))
    height = floors * FLOOR_M + rng.uniform(0.3, 0.9)
    side = 1.0 if x > 0 else -1.0
    depth = rng.uniform(8, 12)
    is_pitched = stage.chance(style.pitched_roofs)
    marks = _gable(stage, x, side * depth, z0, height, color, texture, is_pitched)
    if is_pitched:
        tile = stage.pick_color(style.roof_rgb, 8)
        slope = np.array([(x - side * 0.3, height, z0), (x - side * 0.3, height, z1)])
        back = slope[::-1] + np.array([side * 3.6, 3.4, 0])
        inside = np.array([x + side * depth, 0, (z0 + z1) / 2])
        marks += stage.face(np.concatenate([slope, back]), inside, tile, texture="brick", grain=0.22, texel_m=0.02)
    else:
        marks += _roof_clutter(stage, x, side, z0, z1, height)
    near = max(z0, abs(x) * 2 * stage.camera.focal_px / stage.camera.width * 0.8)
    px_per_m = float(np.clip(2.2 * stage.px_per_m(near), 5, 26))
    normal = np.array([-side, 0.0, 0.0])
    # foreshortened facades get fewer columns, to avoid aliasing
    share = float(np.clip(2.2 * abs(x) / near, 0.4, 1.0))
    image = facade_image(stage, style, (z1 - z0, height), floors, (px_per_m * share, px_per_m), normal, color, texture)
    front = stage.wall_art(image, x, z0, z1, height)
    if stage.chance(style.awnings) and z0 < 60:
        front += _awning(stage, x, side, z0, z1)
    things = [Thing("building", tuple(marks), z0)] if marks else []
    if front:
        things.append(Thing("building", tuple(front), (z0 + z1) / 2, wall_x_m=x))
    return things


def facing_building(stage: Stage, style: Style, x0: float, x1: float, z: float, floors: int) -> list[Thing]:
    """Build a house that faces the camera, at the end of the street or behind a garden."""
    rng = stage.rng
    color = stage.pick_color(style.facade_rgb, 14)
    texture = str(rng.choice(style.facade_textures))
    height = floors * FLOOR_M + 0.5
    px_per_m = float(np.clip(2.2 * stage.px_per_m(z), 4, 26))
    normal = np.array([0, 0, -1.0])
    image = facade_image(stage, style, (x1 - x0, height), floors, (px_per_m, px_per_m), normal, color, texture)
    marks = []
    if stage.chance(style.pitched_roofs):
        tile = stage.pick_color(style.roof_rgb)
        top = height + rng.uniform(2.0, 3.6)
        roof = np.array([(x0 - 0.3, height, z), (x1 + 0.3, height, z), (x1 - 1.5, top, z + 4), (x0 + 1.5, top, z + 4)])
        marks += stage.fill(roof, stage.light.shade(tile, np.array([0, 0.6, -0.8])), texture="brick", grain=0.22)
    marks += stage.art(image, plate(x0, x1, 0, height, z))
    return [Thing("building", tuple(marks), z)] if marks else []


def _gable(
    stage: Stage, x: float, depth: float, z: float, height: float, color: np.ndarray, texture: str, is_pitched: bool
) -> list[Mark]:
    """Build the side of the house that faces the camera; `depth` is negative on the left."""
    points = plate(x, x + depth, 0, height, z)
    if is_pitched:
        points = np.insert(points, 3, (x + depth / 2, height + 3.4 * abs(depth) / 7.2, z), axis=0)
    lit = stage.light.shade(color * 0.94, np.array([0, 0, -1.0]))
    marks = stage.fill(points, lit * 1.04, lit * 0.86, texture=texture, grain=0.12, texel_m=0.008)
    if marks and stage.chance(0.6):
        for floor in range(int(height // FLOOR_M)):
            up = floor * FLOOR_M + 1.2
            for share in (0.25, 0.6):
                left = x + depth * share
                pane = plate(left, left + 0.9, up, up + 1.3, z)
                marks += stage.fill(pane, stage.light.reflection(0.3), stage.light.reflection(0.1))
    return marks


def _roof_clutter(stage: Stage, x: float, side: float, z0: float, z1: float, height: float) -> list[Mark]:
    """Build water tanks and chimneys on a flat roof."""
    marks = []
    for _ in range(int(stage.rng.integers(0, 3))):
        pose = Pose(x + side * stage.between(1.5, 4), stage.between(z0 + 1, max(z1 - 1, z0 + 1.1)))
        half, rise = stage.between(0.5, 0.9), stage.between(0.8, 1.8)
        color = np.array([150.0, 140, 132]) + stage.rng.uniform(-40, 40)
        marks += stage.box(pose, (-half, half), (height - 0.1, height + rise), (-half, half), color, fade=0.2)
    return marks


def _awning(stage: Stage, x: float, side: float, z0: float, z1: float) -> list[Mark]:
    """Build a striped awning over the shop."""
    length = min(z1 - z0 - 0.7, stage.between(2.5, 5))
    if length < 1.5:
        return []
    start = stage.between(z0 + 0.3, z1 - 0.3 - length)
    first, second = stage.rng.uniform(40, 235, 3), np.array([236.0, 232, 222])
    marks, num_stripes = [], max(4, int(length / 0.5))
    for index in range(num_stripes):
        near, far = start + length * index / num_stripes, start + length * (index + 1) / num_stripes
        color = stage.light.shade(first if index % 2 else second, np.array([-side * 0.5, 0.85, 0]))
        out = x - side * 1.1
        slope = np.array([(x, 2.95, near), (x, 2.95, far), (out, 2.4, far), (out, 2.4, near)])
        skirt = np.array([(out, 2.4, near), (out, 2.4, far), (out, 2.15, far), (out, 2.15, near)])
        marks += stage.fill(slope, color * 0.8) + stage.fill(skirt, color)
    end = np.array([(x, 2.95, start), (x - side * 1.1, 2.4, start), (x - side * 1.1, 2.15, start), (x, 2.4, start)])
    return marks + stage.fill(end, stage.light.shade(first) * 0.7)
