"""What stands at the kerb and along gardens: poles, lights, signs, walls, fences, bins."""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from semseg.datasets.toycity import textures
from semseg.datasets.toycity.scene import Thing
from semseg.datasets.toycity.stage import Pose, Stage
from semseg.datasets.toycity.style import Style

STEEL = np.array([124.0, 127, 130])
WOOD = np.array([112.0, 88, 64])
BLACK = np.array([26.0, 27, 28])


def _disc(x: float, y: float, z: float, radius: float, corners: int = 16, turn: float = 0.0) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + turn
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles), np.full(corners, z)], axis=1)


def _plate(x0: float, x1: float, y0: float, y1: float, z: float) -> np.ndarray:
    return np.array([(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], float)


def street_lamp(stage: Stage, x: float, z: float, toward: float) -> list[Thing]:
    """Build a lamp post whose arm reaches towards the road (the sign of `toward`)."""
    height, arm = stage.between(6.0, 8.5), stage.between(1.0, 2.0)
    color = STEEL * stage.between(0.55, 1.1)
    points = np.array([(x, 0, z), (x, height, z), (x + toward * arm, height + 0.4, z)])
    marks = stage.blob(points[:2], [0.11, 0.075], color, rounded=True)
    marks += stage.blob(points[[0, 0]] + [(0, 0, 0), (0, 0.9, 0)], [0.15, 0.14], color * 0.8, rounded=True)
    marks += stage.blob(points[1:], [0.06, 0.05], color)
    head = points[2] + np.array([(0, 0, 0), (toward * 0.6, 0.05, 0)])
    glow = np.array([255.0, 236, 190]) / np.maximum(stage.light.on(np.ones(3)), 0.3) if stage.light.is_dark else STEEL
    marks += stage.blob(head, [0.1, 0.08], glow)
    return [Thing("pole", tuple(marks), z)]


def wooden_pole(stage: Stage, x: float, z: float) -> list[Thing]:
    """Build a leaning wooden pole with a cross-arm."""
    height, lean = stage.between(6.5, 8.0), stage.between(-0.45, 0.45)
    points = np.array([(x, 0, z), (x + lean, height, z)])
    color = WOOD + stage.rng.uniform(-14, 14, 3)
    marks = stage.blob(points, [0.15, 0.11], color, rounded=True, texture="grass", grain=0.3, texel_m=0.01)
    for share in (0.9, 0.97):
        at = points[0] * (1 - share) + points[1] * share
        marks += stage.blob(at + np.array([(-0.8, 0, 0), (0.8, 0.06, 0)]), [0.055, 0.055], color * 0.85)
    if stage.chance(0.35):  # a transformer
        at = points[0] * 0.25 + points[1] * 0.75
        marks += stage.blob(at + np.array([(0.3, 0, -0.05), (0.3, 0.7, -0.05)]), [0.22, 0.22], STEEL, rounded=True)
    return [Thing("pole", tuple(marks), z)]


def wires(stage: Stage, anchors: list[tuple[float, float]], drop: float) -> list[Thing]:
    """Hang wires between poles at (x, z); they are painted, not annotated."""
    marks = []
    for (x0, z0), (x1, z1) in itertools.pairwise(anchors):
        for offset, up in ((-0.7, 7.0), (0.0, 7.1), (0.7, 6.9), (0.2, 6.2)):
            shares = np.linspace(0, 1, 9)
            sag = stage.between(0.3, 0.9) + drop
            line = np.stack(
                [
                    x0 + (x1 - x0) * shares + offset,
                    up - 4 * sag * shares * (1 - shares),
                    z0 + (z1 - z0) * shares,
                ],
                axis=1,
            )
            for a, b in itertools.pairwise(line):
                marks += stage.blob(np.array([a, b]), [0.012, 0.012], BLACK, min_px=0.3)
    return [Thing(None, tuple(marks), 20.0)] if marks else []


def traffic_light(stage: Stage, x: float, z: float, toward: float, overhead: bool) -> list[Thing]:
    """Build a traffic light: a post, or a mast whose arm hangs one more light over the road."""
    color = STEEL * stage.between(0.5, 1.0)
    height = stage.between(5.6, 6.2) if overhead else stage.between(3.0, 3.5)
    marks = stage.blob(np.array([(x, 0, z), (x, height, z)]), [0.09, 0.075], color, rounded=True)
    state = int(stage.rng.choice([0, 1, 2], p=[0.45, 0.1, 0.45]))
    heads = [_lamps(stage, x, min(height - 0.45, 2.9), z - 0.12, state)]
    if overhead:
        reach = x + toward * stage.between(2.6, 3.8)
        marks += stage.blob(np.array([(x, height, z), (reach, height + 0.1, z)]), [0.07, 0.05], color)
        heads.append(_lamps(stage, reach, height - 0.2, z - 0.12, state))
    if stage.chance(0.3):  # the light for those on foot looks across
        heads.append(_lamps(stage, x + toward * 0.35, 2.3, z - 0.1, 2 - state, small=True))
    things = [Thing("pole", tuple(marks), z)]
    return things + [Thing("traffic light", tuple(head), z - 0.12) for head in heads]


def _lamps(stage: Stage, x: float, y: float, z: float, state: int, small: bool = False) -> list:
    size = 0.7 if small else 1.15
    half, tall = 0.19 * size, 0.52 * size
    light = stage.light
    marks = []
    if not small and stage.chance(0.5):
        marks += stage.fill(
            _plate(x - half * 1.5, x + half * 1.5, y - tall * 1.25, y + tall * 1.25, z + 0.01),
            light.on(np.array([225.0, 225, 222])),
        )
        marks += stage.fill(
            _plate(x - half * 1.35, x + half * 1.35, y - tall * 1.18, y + tall * 1.18, z),
            light.on(BLACK * 1.1),
        )
    marks += stage.fill(_plate(x - half, x + half, y - tall, y + tall, z), light.on(BLACK * 1.5), light.on(BLACK))
    colors = np.array([(255, 52, 40), (255, 190, 40), (60, 240, 130)], float)
    for index, color in enumerate(colors):
        up = y + tall * (0.64 - 0.64 * index)
        is_on = index == state
        shown = color if is_on else light.on(color * 0.2)
        if is_on:
            marks += stage.fill(_disc(x, up, z - 0.01, half * 0.92), color * 0.45)
        marks += stage.fill(_disc(x, up, z - 0.01, half * 0.72), shown)
        if is_on:
            marks += stage.fill(_disc(x, up, z - 0.01, half * 0.35), color * 0.4 + 153)
        hood = _plate(x - half * 0.8, x + half * 0.8, up + half * 0.62, up + half * 0.86, z - 0.02)
        marks += stage.fill(hood, light.on(BLACK * 0.6))
    return marks


def traffic_sign(stage: Stage, x: float, z: float) -> list[Thing]:
    """Build a post with one or two signs; sometimes a big direction board."""
    height = stage.between(2.3, 3.0)
    marks = stage.blob(np.array([(x, 0, z), (x, height + 0.3, z)]), [0.055, 0.05], STEEL, rounded=True)
    up = height
    signs = []
    for _ in range(2 if stage.chance(0.35) else 1):
        signs += _sign_face(stage, x, up, z - 0.07)
        up -= 0.78
    return [Thing("pole", tuple(marks), z), Thing("traffic sign", tuple(signs), z - 0.07)]


def direction_board(stage: Stage, x: float, z: float) -> list[Thing]:
    """Build a board with place names on two posts."""
    light = stage.light
    wide, tall, low = stage.between(1.6, 2.4), stage.between(0.9, 1.3), stage.between(2.2, 2.6)
    posts = []
    for at in (x - wide * 0.35, x + wide * 0.35):
        posts += stage.blob(np.array([(at, 0, z), (at, low + tall, z)]), [0.06, 0.06], STEEL, rounded=True)
    color = np.array([(30, 80, 170), (240, 200, 40), (30, 110, 70), (240, 240, 238)], float)[stage.rng.integers(4)]
    ink = light.on(np.array([245.0, 245, 245]) if color.sum() < 400 else np.array([20.0, 20, 22]))
    board = stage.fill(_plate(x - wide / 2, x + wide / 2, low, low + tall, z - 0.08), ink)
    edge = 0.05
    board += stage.fill(
        _plate(x - wide / 2 + edge, x + wide / 2 - edge, low + edge, low + tall - edge, z - 0.09),
        light.on(color),
    )
    for row in np.arange(low + tall - 0.3, low + 0.1, -0.28):
        at = x - wide / 2 + 0.45
        arrow = np.array([(at - 0.3, row, z - 0.1), (at - 0.12, row + 0.1, z - 0.1), (at - 0.12, row - 0.1, z - 0.1)])
        board += stage.fill(arrow, ink)
        while at < x + wide / 2 - 0.35:
            letter = stage.between(0.07, 0.2)
            board += stage.fill(_plate(at, at + letter, row - 0.07, row + 0.07, z - 0.1), ink)
            at += letter + 0.05
    return [Thing("pole", tuple(posts), z), Thing("traffic sign", tuple(board), z - 0.08)]


def _sign_face(stage: Stage, x: float, y: float, z: float) -> list:
    rng, light = stage.rng, stage.light
    red, blue, white, black, yellow = (
        light.on(np.array(color, float))
        for color in ((205, 28, 36), (28, 84, 176), (240, 240, 238), (22, 22, 24), (245, 200, 30))
    )
    r = rng.uniform(0.32, 0.44)
    kind = str(rng.choice(["limit", "warning", "yield", "stop", "mandatory", "parking", "priority", "no entry"]))
    if kind == "limit":
        marks = stage.fill(_disc(x, y, z, r), red) + stage.fill(_disc(x, y, z, r * 0.76), white)
        for dx in (-0.36, 0.1):
            marks += stage.fill(_plate(x + dx * r, x + (dx + 0.26) * r, y - 0.34 * r, y + 0.34 * r, z), black)
        return marks
    if kind in ("warning", "yield"):
        turn = np.pi / 2 if kind == "warning" else -np.pi / 2
        marks = stage.fill(_disc(x, y, z, r * 1.15, 3, turn), red)
        marks += stage.fill(_disc(x, y, z, r * 0.76, 3, turn), white)
        if kind == "warning":
            marks += stage.fill(_plate(x - 0.05 * r, x + 0.06 * r, y - 0.2 * r, y + 0.3 * r, z), black)
        return marks
    if kind == "stop":
        marks = stage.fill(_disc(x, y, z, r * 1.05, 8, np.pi / 8), white)
        marks += stage.fill(_disc(x, y, z, r * 0.96, 8, np.pi / 8), red)
        for dx in (-0.6, -0.28, 0.05, 0.36):
            marks += stage.fill(_plate(x + dx * r, x + (dx + 0.2) * r, y - 0.22 * r, y + 0.22 * r, z), white)
        return marks
    if kind == "mandatory":
        marks = stage.fill(_disc(x, y, z, r), white) + stage.fill(_disc(x, y, z, r * 0.94), blue)
        marks += stage.fill(_plate(x - 0.08 * r, x + 0.08 * r, y - 0.5 * r, y + 0.2 * r, z), white)
        return marks + stage.fill(_disc(x, y + 0.3 * r, z, r * 0.32, 3, np.pi / 2), white)
    if kind == "parking":
        marks = stage.fill(_plate(x - r * 0.8, x + r * 0.8, y - r, y + r, z), white)
        marks += stage.fill(_plate(x - r * 0.74, x + r * 0.74, y - r * 0.94, y + r * 0.94, z), blue)
        marks += stage.fill(_plate(x - 0.3 * r, x - 0.08 * r, y - 0.55 * r, y + 0.6 * r, z), white)
        return marks + stage.fill(_disc(x + 0.06 * r, y + 0.26 * r, z, r * 0.34), white)
    if kind == "priority":
        marks = stage.fill(_disc(x, y, z, r * 1.1, 4, 0), white)
        return marks + stage.fill(_disc(x, y, z, r * 0.76, 4, 0), yellow)
    marks = stage.fill(_disc(x, y, z, r), white) + stage.fill(_disc(x, y, z, r * 0.95), red)
    return marks + stage.fill(_plate(x - 0.65 * r, x + 0.65 * r, y - 0.14 * r, y + 0.14 * r, z), white)


def wall(stage: Stage, style: Style, x: float, z0: float, z1: float) -> list[Thing]:
    """Build a low wall along the street: masonry with pillars and a coping, no windows."""
    rng, light = stage.rng, stage.light
    height = rng.uniform(1.7, 2.6)
    texture = str(rng.choice(style.wall_textures))
    color = np.array([(158, 150, 138), (164, 92, 70), (190, 182, 166), (120, 116, 110), (176, 150, 116)], float)
    color = color[rng.integers(len(color))] + rng.uniform(-12, 12, 3)
    side = 1.0 if x > 0 else -1.0
    lit = light.on(color, np.array([-side, 0, 0]))
    fine = float(np.clip(2.2 * stage.px_per_m(max(z0, 8.0)), 8, 60))
    rows, columns = max(8, int(height * fine)), max(16, int((z1 - z0) * fine * 0.6))
    grain = textures.window(texture, stage.anywhere(), columns, rows, max(fine * 0.0075, 0.06))
    stain = textures.window("cloud", stage.anywhere(), columns, rows, fine * 0.01)
    image = lit * (1 + (0.26 if texture != "plaster" else 0.14) * grain + 0.16 * stain)[..., None]
    image *= np.linspace(1.05, 0.82, rows)[:, None, None]
    spacing = int(columns / max(1, round((z1 - z0) / 4.0)))
    for start in range(0, columns, spacing):
        wide = max(2, int(0.3 * fine * 0.6))
        image[:, start : start + wide] *= 1.12
        image[:, start + wide : start + wide + max(1, wide // 4)] *= 0.7
    coping = max(2, int(0.16 * fine))
    image[:coping] = light.on(np.array([176.0, 172, 164]), np.array([-side, 0, 0])) * 1.05
    image[coping : coping + max(1, coping // 2)] *= 0.62
    image[-max(1, int(0.2 * fine)) :] *= 0.8
    ends = (z0, z1) if side < 0 else (z1, z0)
    corners = np.array([(x, 0, ends[0]), (x, 0, ends[1]), (x, height, ends[1]), (x, height, ends[0])], float)
    front = stage.art(image.clip(0, 255).astype(np.uint8), corners)
    end = np.array([(x, 0, z0), (x + side * 0.35, 0, z0), (x + side * 0.35, height, z0), (x, height, z0)])
    lit = light.on(color, np.array([0, 0, -1.0]))
    marks = stage.fill(end, lit, lit * 0.8, texture=texture, grain=0.2, texel_m=0.008)
    things = [Thing("wall", tuple(marks), z0)] if marks else []
    return things + ([Thing("wall", tuple(front), (z0 + z1) / 2, wall_x_m=x)] if front else [])


def fence(stage: Stage, x: float, z0: float, z1: float, height: float | None = None) -> list[Thing]:
    """Build a fence along the street: bars, planks or mesh; what is between them shows the background."""
    rng, light = stage.rng, stage.light
    kind = str(rng.choice(["bars", "planks", "mesh"], p=[0.5, 0.3, 0.2]))
    height = height or rng.uniform(1.1, 1.8)
    side = 1.0 if x > 0 else -1.0
    fine = float(np.clip(2.2 * stage.px_per_m(max(z0, 8.0)), 10, 44))
    rows, columns = max(12, int(height * fine)), max(24, int((z1 - z0) * fine))
    image = np.zeros((rows, columns, 4), np.float32)
    dark = np.array([(40, 44, 42), (60, 70, 64), (230, 230, 226), (44, 66, 52), (120, 124, 128)], float)
    color = dark[rng.integers(len(dark))] if kind != "planks" else np.array([140.0, 108, 76]) + rng.uniform(-40, 60)
    lit = light.on(color, np.array([-side, 0, 0]))
    image[..., :3] = lit
    if kind == "mesh":
        v, u = np.mgrid[:rows, :columns]
        step = max(3, int(0.16 * fine))
        image[..., 3] = 255 * ((((u + v) % step) < 1) | (((u - v) % step) < 1))
    else:
        step, wide = (0.14, 0.035) if kind == "bars" else (0.17, 0.11)
        starts = np.arange(0, columns, max(3.0, step * fine)).astype(int)
        for offset in range(max(1, round(wide * fine))):
            picked = starts[starts + offset < columns] + offset
            image[:, picked, 3] = 255
            if kind == "planks":
                image[:, picked, :3] *= rng.uniform(0.82, 1.08, (1, len(picked), 1))
    rail = max(1, int(0.05 * fine))
    for share in (0.08, 0.86):
        at = int(rows * share)
        image[at : at + rail] = (*(lit * 0.9), 255)
    post = max(2, int(0.09 * fine))
    for start in range(0, columns, max(8, int(2.2 * fine))):
        image[:, start : start + post] = (*(lit * 0.8), 255)
    if kind == "bars" and stage.chance(0.4):  # on a stone foot
        image[int(rows * 0.78) :] = (*light.on(np.array([150.0, 146, 138]), np.array([-side, 0, 0])), 255)
    share = float(np.clip(2.2 * abs(x) / max(z0, 10.0), 0.45, 1.0))
    size = (max(12, int(columns * share)), rows)
    image = cv2.resize(image.clip(0, 255), size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    ends = (z0, z1) if side < 0 else (z1, z0)
    corners = np.array([(x, 0, ends[0]), (x, 0, ends[1]), (x, height, ends[1]), (x, height, ends[0])], float)
    marks = stage.art(image, corners)
    return [Thing("fence", tuple(marks), (z0 + z1) / 2, wall_x_m=x)] if marks else []


def bin_or_box(stage: Stage, x: float, z: float) -> list[Thing]:
    """Build a litter bin, a switch box or a planter: static, not a class."""
    color = stage.rng.uniform(40, 200, 3)
    size, tall = stage.between(0.22, 0.4), stage.between(0.8, 1.3)
    marks = stage.box(Pose(x, z), (-size, size), (0, tall), (-size, size), color, fade=0.3)
    marks += stage.box(
        Pose(x, z), (-size * 1.05, size * 1.05), (tall, tall + 0.08), (-size * 1.05, size * 1.05), color * 0.6
    )
    return [Thing("static", tuple(marks), z)] if marks else []


def left_bags(stage: Stage, x: float, z: float) -> list[Thing]:
    """Build bags that somebody left on the sidewalk: dynamic, not a class."""
    marks = []
    for _ in range(3):
        at = np.array([(x + stage.between(-0.4, 0.4), 0.2, z), (x + stage.between(-0.4, 0.4), 0.35, z)])
        marks += stage.blob(at, [0.22, 0.14], stage.rng.uniform(20, 120, 3), rounded=True)
    return [Thing("dynamic", tuple(marks), z)] if marks else []
