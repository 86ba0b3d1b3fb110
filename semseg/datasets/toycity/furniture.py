"""Objects at the kerb and along gardens: poles, lights, walls, fences, bins."""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from semseg.datasets.toycity import textures
from semseg.datasets.toycity.scene import Mark, Thing
from semseg.datasets.toycity.stage import Pose, Stage, disc, plate
from semseg.datasets.toycity.style import Style, colors

STEEL = np.array([124.0, 127, 130])
WOOD = np.array([112.0, 88, 64])
BLACK = np.array([26.0, 27, 28])
WALL_COLORS = colors("#9e968a #a45c46 #beb6a6 #78746e #b09674")
FENCE_COLORS = colors("#282c2a #3c4640 #e6e6e2 #2c4234 #787c80")
LAMP_COLORS = colors("#ff3428 #ffbe28 #3cf082")


def street_lamp(stage: Stage, x: float, z: float, toward: float) -> list[Thing]:
    """Build a lamp post whose arm points to the left (`toward` -1) or right (1)."""
    height, arm = stage.between(6.0, 8.5), stage.between(1.0, 2.0)
    color = STEEL * stage.between(0.55, 1.1)
    points = np.array([(x, 0, z), (x, height, z), (x + toward * arm, height + 0.4, z)])
    marks = stage.blob(points[:2], [0.11, 0.075], color, rounded=True)
    marks += stage.blob(points[[0, 0]] + [(0, 0, 0), (0, 0.9, 0)], [0.15, 0.14], color * 0.8, rounded=True)
    marks += stage.blob(points[1:], [0.06, 0.05], color)
    head = points[2] + np.array([(0, 0, 0), (toward * 0.6, 0.05, 0)])
    glow = (
        np.array([255.0, 236, 190]) / np.maximum(stage.light.shade(np.ones(3)), 0.3) if stage.light.is_dark else STEEL
    )
    marks += stage.blob(head, [0.1, 0.08], glow)
    return [Thing("pole", tuple(marks), z)]


def wooden_pole(stage: Stage, x: float, z: float) -> list[Thing]:
    """Build a leaning wooden pole with a cross-arm."""
    height, lean = stage.between(6.5, 8.0), stage.between(-0.45, 0.45)
    points = np.array([(x, 0, z), (x + lean, height, z)])
    color = WOOD + stage.rng.uniform(-14, 14, 3)
    marks = stage.blob(points, [0.15, 0.11], color, rounded=True, texture="grass", grain=0.3, texel_m=0.01)
    for share in (0.9, 0.97):
        centre = points[0] * (1 - share) + points[1] * share
        marks += stage.blob(centre + np.array([(-0.8, 0, 0), (0.8, 0.06, 0)]), [0.055, 0.055], color * 0.85)
    if stage.chance(0.35):  # a transformer
        centre = points[0] * 0.25 + points[1] * 0.75
        marks += stage.blob(centre + np.array([(0.3, 0, -0.05), (0.3, 0.7, -0.05)]), [0.22, 0.22], STEEL, rounded=True)
    return [Thing("pole", tuple(marks), z)]


def wires(stage: Stage, anchors: list[tuple[float, float]], extra_sag: float) -> list[Thing]:
    """Build wires between poles at (x, z); they are painted, not annotated."""
    marks = []
    for (x0, z0), (x1, z1) in itertools.pairwise(anchors):
        for offset, up in ((-0.7, 7.0), (0.0, 7.1), (0.7, 6.9), (0.2, 6.2)):
            shares = np.linspace(0, 1, 9)
            sag = stage.between(0.3, 0.9) + extra_sag
            height = up - 4 * sag * shares * (1 - shares)
            line = np.stack([x0 + (x1 - x0) * shares + offset, height, z0 + (z1 - z0) * shares], axis=1)
            for ends in itertools.pairwise(line):
                marks += stage.blob(np.array(ends), [0.012, 0.012], BLACK, min_px=0.3)
    return [Thing(None, tuple(marks), 20.0)] if marks else []


def traffic_light(stage: Stage, x: float, z: float, toward: float, overhead: bool) -> list[Thing]:
    """Build a traffic light: a post, or a mast with an arm that carries a second light over the road."""
    color = STEEL * stage.between(0.5, 1.0)
    height = stage.between(5.6, 6.2) if overhead else stage.between(3.0, 3.5)
    marks = stage.blob(np.array([(x, 0, z), (x, height, z)]), [0.09, 0.075], color, rounded=True)
    state = int(stage.rng.choice([0, 1, 2], p=[0.45, 0.1, 0.45]))
    heads = [_lamps(stage, x, min(height - 0.45, 2.9), z - 0.12, state)]
    if overhead:
        reach = x + toward * stage.between(2.6, 3.8)
        marks += stage.blob(np.array([(x, height, z), (reach, height + 0.1, z)]), [0.07, 0.05], color)
        heads.append(_lamps(stage, reach, height - 0.2, z - 0.12, state))
    if stage.chance(0.3):  # a light for pedestrians
        heads.append(_lamps(stage, x + toward * 0.35, 2.3, z - 0.1, 2 - state, small=True))
    things = [Thing("pole", tuple(marks), z)]
    return things + [Thing("traffic light", tuple(head), z - 0.12) for head in heads]


def _lamps(stage: Stage, x: float, y: float, z: float, state: int, small: bool = False) -> list[Mark]:
    """Build the housing and the three lamps of a traffic light, of which the number `state` is lit."""
    size = 0.7 if small else 1.15
    half_width, half_height = 0.19 * size, 0.52 * size
    light = stage.light
    marks = []
    if not small and stage.chance(0.5):
        marks += stage.fill(
            plate(x - half_width * 1.5, x + half_width * 1.5, y - half_height * 1.25, y + half_height * 1.25, z + 0.01),
            light.shade(np.array([225.0, 225, 222])),
        )
        marks += stage.fill(
            plate(x - half_width * 1.35, x + half_width * 1.35, y - half_height * 1.18, y + half_height * 1.18, z),
            light.shade(BLACK * 1.1),
        )
    marks += stage.fill(
        plate(x - half_width, x + half_width, y - half_height, y + half_height, z),
        light.shade(BLACK * 1.5),
        light.shade(BLACK),
    )
    for index, color in enumerate(LAMP_COLORS):
        up = y + half_height * (0.64 - 0.64 * index)
        is_on = index == state
        shown = color if is_on else light.shade(color * 0.2)
        if is_on:
            marks += stage.fill(disc(x, up, z - 0.01, half_width * 0.92), color * 0.45)
        marks += stage.fill(disc(x, up, z - 0.01, half_width * 0.72), shown)
        if is_on:
            marks += stage.fill(disc(x, up, z - 0.01, half_width * 0.35), color * 0.4 + 153)
        hood = plate(
            x - half_width * 0.8, x + half_width * 0.8, up + half_width * 0.62, up + half_width * 0.86, z - 0.02
        )
        marks += stage.fill(hood, light.shade(BLACK * 0.6))
    return marks


def wall(stage: Stage, style: Style, x: float, z0: float, z1: float) -> list[Thing]:
    """Build a low wall along the street: masonry with pillars and a coping, no windows."""
    rng, light = stage.rng, stage.light
    height = rng.uniform(1.7, 2.6)
    texture = str(rng.choice(style.wall_textures))
    color = stage.pick_color(WALL_COLORS, 12)
    side = 1.0 if x > 0 else -1.0
    lit = light.shade(color, np.array([-side, 0, 0]))
    px_per_m = float(np.clip(2.2 * stage.px_per_m(max(z0, 8.0)), 8, 60))
    rows, columns = max(8, int(height * px_per_m)), max(16, int((z1 - z0) * px_per_m * 0.6))
    grain = textures.window(texture, stage.random_offset(), columns, rows, max(px_per_m * 0.0075, 0.06))
    stain = textures.window("cloud", stage.random_offset(), columns, rows, px_per_m * 0.01)
    image = lit * (1 + (0.26 if texture != "plaster" else 0.14) * grain + 0.16 * stain)[..., None]
    image *= np.linspace(1.05, 0.82, rows)[:, None, None]
    spacing = int(columns / max(1, round((z1 - z0) / 4.0)))
    for start in range(0, columns, spacing):
        end = start + max(2, int(0.3 * px_per_m * 0.6))
        image[:, start:end] *= 1.12
        image[:, end : end + max(1, (end - start) // 4)] *= 0.7
    coping = max(2, int(0.16 * px_per_m))
    image[:coping] = light.shade(np.array([176.0, 172, 164]), np.array([-side, 0, 0])) * 1.05
    image[coping : coping + max(1, coping // 2)] *= 0.62
    image[-max(1, int(0.2 * px_per_m)) :] *= 0.8
    front = stage.wall_art(image.clip(0, 255).astype(np.uint8), x, z0, z1, height)
    lit = light.shade(color, np.array([0, 0, -1.0]))
    marks = stage.fill(
        plate(x, x + side * 0.35, 0, height, z0), lit, lit * 0.8, texture=texture, grain=0.2, texel_m=0.008
    )
    things = [Thing("wall", tuple(marks), z0)] if marks else []
    return things + ([Thing("wall", tuple(front), (z0 + z1) / 2, wall_x_m=x)] if front else [])


def fence(stage: Stage, x: float, z0: float, z1: float, height: float | None = None) -> list[Thing]:
    """Build a fence along the street: bars, planks or mesh, with the background visible in between."""
    rng, light = stage.rng, stage.light
    kind = str(rng.choice(["bars", "planks", "mesh"], p=[0.5, 0.3, 0.2]))
    height = height or rng.uniform(1.1, 1.8)
    side = 1.0 if x > 0 else -1.0
    px_per_m = float(np.clip(2.2 * stage.px_per_m(max(z0, 8.0)), 10, 44))
    rows, columns = max(12, int(height * px_per_m)), max(24, int((z1 - z0) * px_per_m))
    image = np.zeros((rows, columns, 4), np.float32)
    color = np.array([140.0, 108, 76]) + rng.uniform(-40, 60) if kind == "planks" else stage.pick_color(FENCE_COLORS)
    lit = light.shade(color, np.array([-side, 0, 0]))
    image[..., :3] = lit
    if kind == "mesh":
        v, u = np.mgrid[:rows, :columns]
        step = max(3, int(0.16 * px_per_m))
        image[..., 3] = 255 * ((((u + v) % step) < 1) | (((u - v) % step) < 1))
    else:
        step, width = (0.14, 0.035) if kind == "bars" else (0.17, 0.11)
        starts = np.arange(0, columns, max(3.0, step * px_per_m)).astype(int)
        for offset in range(max(1, round(width * px_per_m))):
            filled = starts[starts + offset < columns] + offset
            image[:, filled, 3] = 255
            if kind == "planks":
                image[:, filled, :3] *= rng.uniform(0.82, 1.08, (1, len(filled), 1))
    rail = max(1, int(0.05 * px_per_m))
    for share in (0.08, 0.86):
        top = int(rows * share)
        image[top : top + rail] = (*(lit * 0.9), 255)
    post = max(2, int(0.09 * px_per_m))
    for start in range(0, columns, max(8, int(2.2 * px_per_m))):
        image[:, start : start + post] = (*(lit * 0.8), 255)
    if kind == "bars" and stage.chance(0.4):  # on a stone foot
        image[int(rows * 0.78) :] = (*light.shade(np.array([150.0, 146, 138]), np.array([-side, 0, 0])), 255)
    share = float(np.clip(2.2 * abs(x) / max(z0, 10.0), 0.45, 1.0))
    size = (max(12, int(columns * share)), rows)
    image = cv2.resize(image.clip(0, 255), size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    marks = stage.wall_art(image, x, z0, z1, height)
    return [Thing("fence", tuple(marks), (z0 + z1) / 2, wall_x_m=x)] if marks else []


def bin_or_box(stage: Stage, x: float, z: float) -> list[Thing]:
    """Build a litter bin, a switch box or a planter: static, not a class."""
    color = stage.rng.uniform(40, 200, 3)
    half, height = stage.between(0.22, 0.4), stage.between(0.8, 1.3)
    marks = stage.box(Pose(x, z), (-half, half), (0, height), (-half, half), color, fade=0.3)
    lid = (-half * 1.05, half * 1.05)
    marks += stage.box(Pose(x, z), lid, (height, height + 0.08), lid, color * 0.6)
    return [Thing("static", tuple(marks), z)] if marks else []


def left_bags(stage: Stage, x: float, z: float) -> list[Thing]:
    """Build bags left on the sidewalk: dynamic, not a class."""
    marks = []
    for _ in range(3):
        at = np.array([(x + stage.between(-0.4, 0.4), 0.2, z), (x + stage.between(-0.4, 0.4), 0.35, z)])
        marks += stage.blob(at, [0.22, 0.14], stage.rng.uniform(20, 120, 3), rounded=True)
    return [Thing("dynamic", tuple(marks), z)] if marks else []
