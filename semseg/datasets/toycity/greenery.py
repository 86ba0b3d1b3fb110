"""Trees, bushes and hedges."""

from __future__ import annotations

import numpy as np

from semseg.datasets.toycity.scene import Fill, Mark, Thing
from semseg.datasets.toycity.stage import Stage
from semseg.datasets.toycity.style import Style

BARK = np.array([92.0, 76, 60])


def _cluster(stage: Stage, at: np.ndarray, radius: float, color: np.ndarray) -> list[Mark]:
    """A ragged ball of leaves: light above, dark below."""
    pixels, depth = stage.camera.project(at[None])
    if depth[0] < 1.0:
        return []
    radius_px = radius * stage.px_per_m(float(depth[0]))
    corners = int(np.clip(radius_px * 1.2, 9, 34))
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    ragged = radius_px * stage.rng.uniform(0.78, 1.1, corners)
    polygon = pixels[0] + np.stack([np.cos(angles) * ragged, 0.9 * np.sin(angles) * ragged], axis=1)
    polygon = polygon.astype(np.float32)
    if not stage.camera.sees(polygon):
        return []
    lit = stage.light.on(color)
    texel = float(np.clip(0.014 * stage.px_per_m(float(depth[0])), 0.15, 8.0))
    return [Fill(polygon, lit * 1.3, lit * 0.55, False, "leaf", 0.5, texel, stage.anywhere())]


def tree(stage: Stage, style: Style, x: float, z: float, scale: float = 1.0) -> list[Thing]:
    """Build a tree: a trunk and a crown of leaf clusters, or a slim conifer or poplar."""
    rng = stage.rng
    color = style.leaf_rgb[rng.integers(len(style.leaf_rgb))] + rng.uniform(-12, 12, 3)
    height = rng.uniform(5.0, 9.0) * scale
    crown_low = rng.uniform(2.0, 2.9) * min(scale, 1.0)
    spread = rng.uniform(1.5, 2.6) * scale
    if stage.chance(0.15):
        spread, crown_low = spread * 0.5, crown_low * 0.4  # a poplar
    lean = rng.uniform(-0.25, 0.25)
    trunk = np.array([(x, 0, z), (x + lean, crown_low + 0.9, z)])
    thick = rng.uniform(0.13, 0.24) * scale
    marks = stage.blob(trunk, [thick, thick * 0.75], BARK + rng.uniform(-16, 16, 3), rounded=True,
                       texture="grass", grain=0.3, texel_m=0.008)  # fmt: skip
    for end in (-1, 1):
        branch = np.array([(x + lean, crown_low + 0.4, z), (x + lean + end * spread * 0.5, crown_low + 1.5, z)])
        marks += stage.blob(branch, [thick * 0.6, thick * 0.3], BARK)
    spread_px = stage.px_per_m(z) * spread
    count = 13 if spread_px > 40 else 8 if spread_px > 16 else 4
    middle, tall = (crown_low + height) / 2, (height - crown_low) / 2
    places = rng.normal(0, 0.5, (count, 2)).clip(-1, 1)
    for a, b in places[np.argsort(-places[:, 1])][::-1]:
        at = np.array([x + lean + a * spread, middle + b * tall * 0.9, z - abs(a) * 0.1])
        tone = 1 + 0.16 * b + rng.uniform(-0.1, 0.1)
        marks += _cluster(stage, at, spread * rng.uniform(0.42, 0.68), color * tone)
    return [Thing("vegetation", tuple(marks), z)] if marks else []


def bush(stage: Stage, style: Style, x: float, z: float, size: float) -> list[Thing]:
    """Build a bush."""
    color = style.leaf_rgb[stage.rng.integers(len(style.leaf_rgb))] * 0.92
    marks = []
    for _ in range(5 if stage.px_per_m(z) * size > 14 else 3):
        at = np.array([x + stage.between(-0.6, 0.6) * size, size * stage.between(0.35, 0.7), z])
        marks += _cluster(stage, at, size * stage.between(0.4, 0.6), color * stage.between(0.85, 1.1))
    return [Thing("vegetation", tuple(marks), z)] if marks else []


def hedge(stage: Stage, style: Style, x: float, z0: float, z1: float, height: float) -> list[Thing]:
    """Build a clipped hedge along the street."""
    rng = stage.rng
    color = np.array([72.0, 98, 46]) + rng.uniform(-14, 14, 3)
    side = 1.0 if x > 0 else -1.0
    marks = []
    steps = np.arange(z0, z1 + 0.4, 0.5)
    tops = height + rng.uniform(-0.1, 0.1, len(steps))
    face = [(x, 0, z1), (x, 0, z0)] + [(x, top, z) for z, top in zip(steps, tops, strict=True)]
    normal = np.array([-side, 0, 0])
    lit = stage.light.on(color, normal)
    marks += stage.fill(np.array(face), lit * 1.3, lit * 0.6, texture="leaf", grain=0.45, texel_m=0.01)
    end = np.array([(x, 0, z0), (x + side, 0, z0), (x + side, height, z0), (x, height, z0)])
    lit = stage.light.on(color, np.array([0, 0, -1.0]))
    marks += stage.fill(end, lit * 1.3, lit * 0.6, texture="leaf", grain=0.45, texel_m=0.01)
    return [Thing("vegetation", tuple(marks), z0)] if marks else []


def tree_line(stage: Stage, style: Style, x0: float, x1: float, z: float) -> list[Thing]:
    """Build the far trees that close the view."""
    color = style.leaf_rgb[stage.rng.integers(len(style.leaf_rgb))]
    x = np.arange(x0, x1, 1.5)
    knots = stage.rng.uniform(3, 9, len(x) // 5 + 2)
    tops = np.interp(np.arange(len(x)), np.arange(len(knots)) * 5, knots) + stage.rng.uniform(-0.5, 0.5, len(x))
    edge = np.stack([x, tops, np.full(len(x), z)], axis=1)
    lit = stage.light.on(color)
    foot = np.array([(x1, 0.0, z), (x0, 0.0, z)])
    marks = stage.fill(np.concatenate([edge, foot]), lit * 1.2, lit * 0.6, texture="leaf", grain=0.4, texel_m=0.06)
    return [Thing("vegetation", tuple(marks), z)] if marks else []
