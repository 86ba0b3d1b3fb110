"""Trees, bushes and hedges."""

from __future__ import annotations

import numpy as np

from semseg.datasets.toycity.scene import Fill, Mark, Thing
from semseg.datasets.toycity.stage import Stage, circle, plate
from semseg.datasets.toycity.style import Style

BARK = np.array([92.0, 76, 60])


def _cluster(stage: Stage, centre: np.ndarray, radius: float, color: np.ndarray) -> list[Mark]:
    """Make the mark of a ragged ball of leaves: light above, dark below."""
    pixels, depth = stage.camera.project(centre[None])
    if depth[0] < 1.0:
        return []
    px_per_m = stage.px_per_m(float(depth[0]))
    radius_px = radius * px_per_m
    num_corners = int(np.clip(radius_px * 1.2, 9, 34))
    radii_px = radius_px * stage.rng.uniform(0.78, 1.1, num_corners)
    polygon = (pixels[0] + circle(num_corners) * (1.0, 0.9) * radii_px[:, None]).astype(np.float32)
    if not stage.camera.sees(polygon):
        return []
    lit = stage.light.shade(color)
    texel_px = float(np.clip(0.014 * px_per_m, 0.15, 8.0))
    return [Fill(polygon, lit * 1.3, lit * 0.55, False, "leaf", 0.5, texel_px, stage.random_offset())]


def _leafy(stage: Stage, points: np.ndarray, lit: np.ndarray, top: float, grain: float, texel_m: float) -> list[Mark]:
    """Make the mark of a leafy polygon whose upper edge is `top` times as bright as its colour."""
    return stage.fill(points, lit * top, lit * 0.6, texture="leaf", grain=grain, texel_m=texel_m)


def tree(stage: Stage, style: Style, x: float, z: float, scale: float = 1.0) -> list[Thing]:
    """Build a tree: a trunk and a crown of leaf clusters, or a slim poplar."""
    rng = stage.rng
    color = stage.pick_color(style.leaf_rgb, 12)
    height = rng.uniform(5.0, 9.0) * scale
    crown_low = rng.uniform(2.0, 2.9) * min(scale, 1.0)
    spread = rng.uniform(1.5, 2.6) * scale
    if stage.chance(0.15):
        spread, crown_low = spread * 0.5, crown_low * 0.4  # a poplar
    lean = rng.uniform(-0.25, 0.25)
    trunk = np.array([(x, 0, z), (x + lean, crown_low + 0.9, z)])
    radius = rng.uniform(0.13, 0.24) * scale
    bark = BARK + rng.uniform(-16, 16, 3)
    marks = stage.blob(trunk, [radius, radius * 0.75], bark, rounded=True, texture="grass", grain=0.3, texel_m=0.008)
    for sign in (-1, 1):
        branch = np.array([(x + lean, crown_low + 0.4, z), (x + lean + sign * spread * 0.5, crown_low + 1.5, z)])
        marks += stage.blob(branch, [radius * 0.6, radius * 0.3], BARK)
    spread_px = stage.px_per_m(z) * spread
    num_clusters = 13 if spread_px > 40 else 8 if spread_px > 16 else 4
    crown_middle, crown_half = (crown_low + height) / 2, (height - crown_low) / 2
    places = rng.normal(0, 0.5, (num_clusters, 2)).clip(-1, 1)
    for right, up in places[np.argsort(-places[:, 1])][::-1]:
        centre = np.array([x + lean + right * spread, crown_middle + up * crown_half * 0.9, z - abs(right) * 0.1])
        tone = 1 + 0.16 * up + rng.uniform(-0.1, 0.1)
        marks += _cluster(stage, centre, spread * rng.uniform(0.42, 0.68), color * tone)
    return [Thing("vegetation", tuple(marks), z)] if marks else []


def bush(stage: Stage, style: Style, x: float, z: float, size: float) -> list[Thing]:
    """Build a bush."""
    color = stage.pick_color(style.leaf_rgb) * 0.92
    marks = []
    for _ in range(5 if stage.px_per_m(z) * size > 14 else 3):
        centre = np.array([x + stage.between(-0.6, 0.6) * size, size * stage.between(0.35, 0.7), z])
        marks += _cluster(stage, centre, size * stage.between(0.4, 0.6), color * stage.between(0.85, 1.1))
    return [Thing("vegetation", tuple(marks), z)] if marks else []


def hedge(stage: Stage, x: float, z0: float, z1: float, height: float) -> list[Thing]:
    """Build a clipped hedge along the street."""
    rng, light = stage.rng, stage.light
    color = np.array([72.0, 98, 46]) + rng.uniform(-14, 14, 3)
    side = 1.0 if x > 0 else -1.0
    steps = np.arange(z0, z1 + 0.4, 0.5)
    tops = height + rng.uniform(-0.1, 0.1, len(steps))
    front = np.array([(x, 0, z1), (x, 0, z0), *((x, top, z) for z, top in zip(steps, tops, strict=True))])
    marks = _leafy(stage, front, light.shade(color, np.array([-side, 0, 0])), 1.3, 0.45, 0.01)
    end = plate(x, x + side, 0, height, z0)
    marks += _leafy(stage, end, light.shade(color, np.array([0, 0, -1.0])), 1.3, 0.45, 0.01)
    return [Thing("vegetation", tuple(marks), z0)] if marks else []


def tree_line(stage: Stage, style: Style, x0: float, x1: float, z: float) -> list[Thing]:
    """Build the distant trees behind the street."""
    color = stage.pick_color(style.leaf_rgb)
    x = np.arange(x0, x1, 1.5)
    knots = stage.rng.uniform(3, 9, len(x) // 5 + 2)
    tops = np.interp(np.arange(len(x)), np.arange(len(knots)) * 5, knots) + stage.rng.uniform(-0.5, 0.5, len(x))
    edge = np.stack([x, tops, np.full(len(x), z)], axis=1)
    foot = np.array([(x1, 0.0, z), (x0, 0.0, z)])
    marks = _leafy(stage, np.concatenate([edge, foot]), stage.light.shade(color), 1.2, 0.4, 0.06)
    return [Thing("vegetation", tuple(marks), z)] if marks else []
