"""Facades, drawn flat, window by window."""

from __future__ import annotations

import cv2
import numpy as np

from semseg.datasets.toycity import textures
from semseg.datasets.toycity.stage import Stage
from semseg.datasets.toycity.style import Style

FLOOR_M = 3.2
_SHINE = (0.15, 0.6, 0.3, 0.4, 0.25, 0.0)  # reflection of the kinds of panes; 2 has curtains, 3 a blind, 5 is lit
_NUM_PANES = len(_SHINE)


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
        stage: light and random generator.
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
    lit = light.shade(color, normal)
    trim = light.shade(np.clip(color * rng.choice([0.72, 1.22]), 0, 245), normal)
    bays = max(1, round(length_m / rng.uniform(2.4, 3.4)))
    cell_h, cell_w = max(8, round(FLOOR_M * px_up)), max(8, round(length_m / bays * px_along))
    panes = _cells(stage, cell_h, cell_w, lit, trim)
    kinds = rng.integers(0, _NUM_PANES - 1, (max(floors - 1, 0), bays))
    if light.is_dark:
        kinds = np.where(rng.random(kinds.shape) < 0.35, _NUM_PANES - 1, kinds)
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
    grain = textures.window(texture, stage.random_offset(), width, height, max(scale, 0.06))
    contrast = {"plaster": 0.07, "brick": 0.15, "stone": 0.14}[texture]
    dirt = textures.window("cloud", stage.random_offset(), width, height, px_up * 0.03)
    fall = np.linspace(1.07, 0.9, height, dtype=np.float32)[:, None]
    factor = (contrast * grain + 1) * (0.07 * dirt + 1) * fall
    return cv2.multiply(image, cv2.merge([factor] * 3), dtype=cv2.CV_8U)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0, 255).astype(np.uint8)


def _cells(stage: Stage, height: int, width: int, lit: np.ndarray, trim: np.ndarray) -> np.ndarray:
    """Draw one cell of the facade per kind of pane: uint8, (kinds, height, width, 3)."""
    rng, light = stage.rng, stage.light
    cells = np.empty((_NUM_PANES, height, width, 3), np.float32)
    cells[:] = lit
    share = rng.uniform(0.4, 0.62)
    top, bottom = int(height * rng.uniform(0.14, 0.2)), int(height * rng.uniform(0.7, 0.8))
    left, right = int(width * (0.5 - share / 2)), int(np.ceil(width * (0.5 + share / 2)))
    edge = max(1, height // 26)
    has_shutters, has_rail, has_band = stage.chance(0.3), stage.chance(0.22), stage.chance(0.5)
    if has_band:
        cells[:, -edge:] = trim
        cells[:, -edge - max(1, edge // 2) : -edge] = lit * 0.8
    cells[:, top - edge : bottom + edge, left - edge : right + edge] = trim
    cells[:, bottom + edge : bottom + 2 * edge, left - edge : right + edge] = lit * 0.7  # shade of the sill
    if has_shutters:
        color = light.shade(rng.uniform(40, 150, 3))
        shutter = max(1, int(width * 0.13))
        for start in (left - edge - shutter, right + edge):
            start = max(start, 0)
            cells[:, top:bottom, start : start + shutter] = color
            cells[:, top : bottom : max(2, edge * 2), start : start + shutter] = color * 0.75
    rows = np.linspace(0, 1, max(bottom - top, 1), dtype=np.float32)[:, None, None]
    for kind, shine in enumerate(_SHINE):
        pane = light.reflection(shine) * (1.15 - 0.55 * rows) + np.zeros((1, right - left, 1), np.float32)
        if kind == 2:  # curtains
            quarter = (right - left) // 4
            pane[:, :quarter] = pane[:, -quarter:] = light.shade(np.array([205.0, 200, 188])) * 0.8
        if kind == 3:  # a blind, half down
            pane[: len(pane) // 2] = light.shade(np.array([200.0, 196, 184]))
            pane[: len(pane) // 2 : 3] *= 0.85
        if kind == _NUM_PANES - 1:
            pane[:] = np.array([250.0, 206, 128]) * (1.0 - 0.2 * rows)
        cells[kind, top:bottom, left:right] = pane
    frame = light.shade(np.array([225.0, 224, 218])) if stage.chance(0.7) else light.shade(np.array([70.0, 56, 48]))
    bar = max(1, edge // 2)
    middle = (left + right) // 2
    cells[:, top:bottom, middle - bar // 2 : middle - bar // 2 + bar] = frame
    across = top + int((bottom - top) * 0.3)
    cells[:, across : across + bar, left:right] = frame
    cells[:, top : top + bar, left:right] *= 0.5  # the reveal shades the pane
    if has_rail:
        low, high = int(height * 0.62), min(height - 1, bottom + 2 * edge)
        dark = light.shade(np.array([44.0, 44, 48]))
        cells[:, low : low + bar, left - 2 * edge : right + 2 * edge] = dark
        cells[:, high - bar : high + bar, left - 2 * edge : right + 2 * edge] = dark * 0.8
        cells[:, low:high, max(left - 2 * edge, 0) : right + 2 * edge : max(2, width // 18)] = dark
    return _bytes(cells)


def _ground_cell(stage: Stage, height: int, width: int, lit: np.ndarray, trim: np.ndarray) -> np.ndarray:
    """Draw a cell of the ground floor: shop window, door, garage or a plain window."""
    rng, light = stage.rng, stage.light
    cell = np.empty((height, width, 3), np.float32)
    cell[:] = lit * 0.93
    cell[int(height * 0.9) :] = trim * 0.72
    kind = rng.choice(["shop", "door", "window", "garage"], p=[0.36, 0.22, 0.3, 0.12])
    edge = max(1, height // 26)
    if kind == "shop":
        top, bottom, left, right = int(height * 0.26), int(height * 0.88), int(width * 0.06), int(width * 0.94)
        cell[top:bottom, left:right] = light.shade(np.array([40.0, 40, 42]))
        rows = np.linspace(0.9, 0.35, bottom - top - 2 * edge, dtype=np.float32)[:, None, None]
        pane = light.reflection(0.55) * rows
        if light.is_dark or stage.chance(0.3):
            pane = np.array([255.0, 226, 170]) * (0.55 + 0.4 * rows)
        cell[top + edge : bottom - edge, left + edge : right - edge] = pane
        for _ in range(5):  # goods in the window
            w, h = max(1, int(width * rng.uniform(0.05, 0.16))), max(1, int(height * rng.uniform(0.06, 0.22)))
            start = int(rng.uniform(left + edge, max(right - edge - w, left + edge + 1)))
            cell[bottom - edge - h : bottom - edge, start : start + w] = light.shade(rng.uniform(30, 220, 3)) * 0.7
        sign = light.shade(rng.uniform(20, 230, 3))
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
        color = light.shade(rng.uniform(30, 130, 3))
        cell[top : int(height * 0.97), left:right] = color
        cell[top + 2 * edge : int(height * 0.55), left + 2 * edge : right - 2 * edge] = light.reflection(0.3)
        cell[int(height * 0.62) : int(height * 0.9), left + 2 * edge : right - 2 * edge] = color * 0.8
        cell[int(height * 0.97) :, left - 2 * edge : right + 2 * edge] = trim * 0.9
    elif kind == "garage":
        top, left, right = int(height * 0.28), int(width * 0.05), int(width * 0.95)
        color = light.shade(rng.uniform(90, 190, 3))
        cell[top:, left:right] = color
        cell[top :: max(3, height // 12), left:right] = color * 0.75
        cell[top : top + edge, left:right] = color * 0.4
    else:
        top, bottom, left, right = int(height * 0.22), int(height * 0.66), int(width * 0.24), int(width * 0.76)
        cell[top - edge : bottom + edge, left - edge : right + edge] = trim
        cell[top:bottom, left:right] = light.reflection(rng.uniform(0.1, 0.6))
        cell[top:bottom, (left + right) // 2 : (left + right) // 2 + max(1, edge // 2)] = trim
    return _bytes(cell)
