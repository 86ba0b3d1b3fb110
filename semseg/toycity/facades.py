"""Houses: a facade is drawn flat, window by window, and hung into the street."""

from __future__ import annotations

import cv2
import numpy as np

from semseg.toycity import textures
from semseg.toycity.scene import Thing
from semseg.toycity.stage import Pose, Stage
from semseg.toycity.style import Style

FLOOR_M = 3.2
_GLASS_KINDS = 6  # panes differ: dark, mirrored, with curtains, with blinds, lit


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


def facade_image(
    stage: Stage,
    style: Style,
    size_m: tuple[float, float],
    floors: int,
    px_per_m: tuple[float, float],
    normal: np.ndarray,
    color: np.ndarray,
    texture: str,
) -> np.ndarray:
    """Draw a lit facade.

    Args:
        stage: light and chance.
        style: of the city.
        size_m: length and height.
        floors: how many.
        px_per_m: along and up.
        normal: of the facade.
        color: of its walls, RGB.
        texture: of its walls.

    Returns:
        RGB, uint8, shape (height, length, 3), roughly size_m * px_per_m.
    """
    rng, light = stage.rng, stage.light
    (length_m, height_m), (px_along, px_up) = size_m, px_per_m
    lit = light.on(color, normal)
    trim = light.on(np.clip(color * rng.choice([0.72, 1.22]), 0, 245), normal)
    bays = max(1, round(length_m / rng.uniform(2.4, 3.4)))
    cell_h, cell_w = max(8, round(FLOOR_M * px_up)), max(8, round(length_m / bays * px_along))
    panes = _cells(stage, cell_h, cell_w, lit, trim)
    kinds = rng.integers(0, _GLASS_KINDS - 1, (max(floors - 1, 0), bays))
    if light.is_dark:
        kinds = np.where(rng.random(kinds.shape) < 0.35, _GLASS_KINDS - 1, kinds)
    upper = panes[kinds].transpose(0, 2, 1, 3, 4).reshape(kinds.shape[0] * cell_h, bays * cell_w, 3)
    base_kinds = [_ground_cell(stage, cell_h, cell_w, lit, trim) for _ in range(min(bays, 4))]
    base = np.concatenate([base_kinds[rng.integers(len(base_kinds))] for _ in range(bays)], axis=1)
    top_h = max(2, round((height_m - floors * FLOOR_M) * px_up))
    cornice = np.empty((top_h, bays * cell_w, 3), np.uint8)
    cornice[:] = _bytes(trim)
    cornice[: max(1, top_h // 4)] = _bytes(trim * 1.1)
    cornice[-max(1, top_h // 4) :] = _bytes(trim * 0.68)
    image = np.concatenate([cornice, upper, base], axis=0)
    height, width = image.shape[:2]
    # bricks and stones are the same in every row: 1 texel is about 8 mm, plaster is coarser
    scale = px_up * (0.0075 if texture != "plaster" else 0.016)
    grain = textures.window(texture, stage.anywhere(), width, height, max(scale, 0.06))
    contrast = {"plaster": 0.07, "brick": 0.15, "stone": 0.14}[texture]
    dirt = textures.window("cloud", stage.anywhere(), width, height, px_up * 0.03)
    fall = np.linspace(1.07, 0.9, height, dtype=np.float32)[:, None]
    factor = (contrast * grain + 1) * (0.07 * dirt + 1) * fall
    return cv2.multiply(image, cv2.merge([factor] * 3), dtype=cv2.CV_8U)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0, 255).astype(np.uint8)


def _cells(stage: Stage, height: int, width: int, lit: np.ndarray, trim: np.ndarray) -> np.ndarray:
    """One cell of the facade per kind of pane: uint8, (kinds, height, width, 3)."""
    rng, light = stage.rng, stage.light
    cells = np.empty((_GLASS_KINDS, height, width, 3), np.float32)
    cells[:] = lit
    w = rng.uniform(0.4, 0.62)
    top, bottom = int(height * rng.uniform(0.14, 0.2)), int(height * rng.uniform(0.7, 0.8))
    left, right = int(width * (0.5 - w / 2)), int(np.ceil(width * (0.5 + w / 2)))
    edge = max(1, height // 26)
    has_shutters, has_rail, has_band = stage.chance(0.3), stage.chance(0.22), stage.chance(0.5)
    if has_band:
        cells[:, -edge:] = trim
        cells[:, -edge - max(1, edge // 2) : -edge] = lit * 0.8
    cells[:, top - edge : bottom + edge, left - edge : right + edge] = trim
    cells[:, bottom + edge : bottom + 2 * edge, left - edge : right + edge] = lit * 0.7  # shade of the sill
    if has_shutters:
        color = light.on(rng.uniform(40, 150, 3))
        wide = max(1, int(width * 0.13))
        for start in (left - edge - wide, right + edge):
            start = max(start, 0)
            cells[:, top:bottom, start : start + wide] = color
            cells[:, top : bottom : max(2, edge * 2), start : start + wide] = color * 0.75
    rows = np.linspace(0, 1, max(bottom - top, 1), dtype=np.float32)[:, None, None]
    for kind in range(_GLASS_KINDS):
        shine = (0.15, 0.6, 0.3, 0.4, 0.25, 0.0)[kind]
        pane = light.reflection(shine) * (1.15 - 0.55 * rows) + np.zeros((1, right - left, 1), np.float32)
        if kind == 2:  # curtains
            pane[:, : (right - left) // 4] = pane[:, -((right - left) // 4) :] = (
                light.on(np.array([205.0, 200, 188])) * 0.8
            )
        if kind == 3:  # a blind, half down
            pane[: len(pane) // 2] = light.on(np.array([200.0, 196, 184]))
            pane[: len(pane) // 2 : 3] *= 0.85
        if kind == _GLASS_KINDS - 1:
            pane[:] = np.array([250.0, 206, 128]) * (1.0 - 0.2 * rows)
        cells[kind, top:bottom, left:right] = pane
    frame = light.on(np.array([225.0, 224, 218])) if stage.chance(0.7) else light.on(np.array([70.0, 56, 48]))
    bar = max(1, edge // 2)
    middle = (left + right) // 2
    cells[:, top:bottom, middle - bar // 2 : middle - bar // 2 + bar] = frame
    across = top + int((bottom - top) * 0.3)
    cells[:, across : across + bar, left:right] = frame
    cells[:, top : top + bar, left:right] *= 0.5  # the reveal shades the pane
    if has_rail:
        low, high = int(height * 0.62), min(height - 1, bottom + 2 * edge)
        dark = light.on(np.array([44.0, 44, 48]))
        cells[:, low : low + bar, left - 2 * edge : right + 2 * edge] = dark
        cells[:, high - bar : high + bar, left - 2 * edge : right + 2 * edge] = dark * 0.8
        cells[:, low:high, max(left - 2 * edge, 0) : right + 2 * edge : max(2, width // 18)] = dark
    return _bytes(cells)


def _ground_cell(stage: Stage, height: int, width: int, lit: np.ndarray, trim: np.ndarray) -> np.ndarray:
    """A cell of the ground floor: shop window, door, garage or a plain window."""
    rng, light = stage.rng, stage.light
    cell = np.empty((height, width, 3), np.float32)
    cell[:] = lit * 0.93
    cell[int(height * 0.9) :] = trim * 0.72
    kind = rng.choice(["shop", "door", "window", "garage"], p=[0.36, 0.22, 0.3, 0.12])
    edge = max(1, height // 26)
    if kind == "shop":
        top, bottom, left, right = (
            int(height * 0.26),
            int(height * 0.88),
            int(width * 0.06),
            int(width * 0.94),
        )
        cell[top:bottom, left:right] = light.on(np.array([40.0, 40, 42]))
        rows = np.linspace(0.9, 0.35, bottom - top - 2 * edge, dtype=np.float32)[:, None, None]
        pane = light.reflection(0.55) * rows
        if light.is_dark or stage.chance(0.3):
            pane = np.array([255.0, 226, 170]) * (0.55 + 0.4 * rows)
        cell[top + edge : bottom - edge, left + edge : right - edge] = pane
        for _ in range(5):  # goods in the window
            w, h = max(1, int(width * rng.uniform(0.05, 0.16))), max(1, int(height * rng.uniform(0.06, 0.22)))
            at = int(rng.uniform(left + edge, max(right - edge - w, left + edge + 1)))
            cell[bottom - edge - h : bottom - edge, at : at + w] = light.on(rng.uniform(30, 220, 3)) * 0.7
        sign = light.on(rng.uniform(20, 230, 3))
        cell[int(height * 0.07) : int(height * 0.22), left:right] = sign
        letters = np.clip(255 - sign, 30, 245)
        start = left + int(width * 0.1)
        while start < right - width * 0.12:
            w = max(1, int(width * rng.uniform(0.02, 0.06)))
            cell[int(height * 0.11) : int(height * 0.18), start : start + w] = letters
            start += w + max(1, width // 40)
    elif kind == "door":
        top, left, right = int(height * 0.24), int(width * 0.3), int(width * 0.7)
        cell[top - edge : int(height * 0.97), left - edge : right + edge] = trim
        color = light.on(rng.uniform(30, 130, 3))
        cell[top : int(height * 0.97), left:right] = color
        cell[top + 2 * edge : int(height * 0.55), left + 2 * edge : right - 2 * edge] = light.reflection(0.3)
        cell[int(height * 0.62) : int(height * 0.9), left + 2 * edge : right - 2 * edge] = color * 0.8
        cell[int(height * 0.97) :, left - 2 * edge : right + 2 * edge] = trim * 0.9
    elif kind == "garage":
        top, left, right = int(height * 0.28), int(width * 0.05), int(width * 0.95)
        color = light.on(rng.uniform(90, 190, 3))
        cell[top:, left:right] = color
        cell[top :: max(3, height // 12), left:right] = color * 0.75
        cell[top : top + edge, left:right] = color * 0.4
    else:
        top, bottom, left, right = (
            int(height * 0.22),
            int(height * 0.66),
            int(width * 0.24),
            int(width * 0.76),
        )
        cell[top - edge : bottom + edge, left - edge : right + edge] = trim
        cell[top:bottom, left:right] = light.reflection(rng.uniform(0.1, 0.6))
        cell[top:bottom, (left + right) // 2 : (left + right) // 2 + max(1, edge // 2)] = trim
    return _bytes(cell)


def _gable(stage, x, reach, z, height, color, texture, is_pitched) -> list:
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
