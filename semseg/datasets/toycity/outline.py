"""From a scene to its annotation: the outlines of the things, in painting order, and the label ids."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from PIL import Image, ImageDraw

from semseg.datasets.toycity.camera import Camera
from semseg.datasets.toycity.scene import Ground, Scene, Thing
from semseg.labels import CITYSCAPES

_FINE = 2  # outlines are taken from masks of this many pixels per pixel
_SHIFT = 3  # binary places of OpenCV's fixed point coordinates
FAR_M = 2000.0
"""Depth of the sky."""


@dataclass(frozen=True)
class Annotation:
    """The polygons and label ids of a picture, and the distance of each pixel."""

    objects: list[dict]  # {"label": name, "polygon": [[x, y], ...]}, whole pixels, painted in order
    label_ids: np.ndarray  # uint8, (height, width)
    depth_m: np.ndarray  # float32, (height, width)


def fill_mask(mask: np.ndarray, polygon: np.ndarray, scale: float, left: int = 0, top: int = 0) -> None:
    """Set a polygon to 255 in a mask. Modifies `mask`.

    Args:
        mask: uint8, shape (height, width).
        polygon: pixels of the picture, shape (n, 2).
        scale: pixels of the mask per pixel of the picture.
        left: column of the mask in the scaled picture.
        top: row of the mask in the scaled picture.
    """
    fixed = (polygon * scale - (0.5 + left, 0.5 + top)) * (1 << _SHIFT)
    cv2.fillPoly(mask, [np.rint(fixed).astype(np.int32)], 255, cv2.LINE_8, _SHIFT)


def bounds(polygons: list[np.ndarray], width: int, height: int) -> tuple[int, int, int, int]:
    """Return the box of pixels that polygons can touch: left, top, right, bottom (exclusive).

    `Camera.sees` has ensured that the polygons meet the picture.
    """
    corners = polygons[0] if len(polygons) == 1 else np.concatenate(polygons)
    (low_u, low_v), (high_u, high_v) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    left, top = max(0, math.floor(low_u) - 1), max(0, math.floor(low_v) - 1)
    return left, top, min(width, math.ceil(high_u) + 1), min(height, math.ceil(high_v) + 1)


def annotate(scene: Scene) -> Annotation:
    """Outline every thing of a scene.

    The polygons are the contours of the area that the marks of a thing cover, so picture and annotation come from the
    same projection.
    """
    camera = scene.camera
    objects: list[dict] = []
    depth_m = np.full((camera.height, camera.width), FAR_M, np.float32)
    for thing in scene.things:
        if not thing.marks:
            continue
        polygons = [mark.polygon for mark in thing.marks]
        box = bounds(polygons, camera.width, camera.height)
        mask = _cover(polygons, box)
        if thing.label is not None:
            objects += [{"label": thing.label, "polygon": polygon} for polygon in _contours(mask, box)]
        _set_depth(depth_m, thing, mask, box, camera)
    label_ids = draw_label_ids(objects, camera.width, camera.height)
    return Annotation(objects, label_ids, depth_m)


def draw_label_ids(objects: list[dict], width: int, height: int) -> np.ndarray:
    """Paint polygons as cityscapesScripts' json2labelImg does.

    Args:
        objects: as in `Annotation`.
        width: of the picture.
        height: of the picture.

    Returns:
        Label ids, uint8, shape (height, width).
    """
    image = Image.new("L", (width, height), 0)
    drawer = ImageDraw.Draw(image)
    for item in objects:
        label = CITYSCAPES.by_name.get(item["label"]) or CITYSCAPES.by_name[item["label"].removesuffix("group")]
        if label.label_id >= 0:
            drawer.polygon([tuple(point) for point in item["polygon"]], fill=label.label_id)
    return np.array(image)


def _cover(polygons: list[np.ndarray], box: tuple[int, int, int, int]) -> np.ndarray:
    """Return which pixels of a box polygons cover by about half or more: uint8, 0 or 255."""
    left, top, right, bottom = box
    fine = np.zeros(((bottom - top) * _FINE, (right - left) * _FINE), np.uint8)
    for polygon in polygons:
        fill_mask(fine, polygon, _FINE, left * _FINE, top * _FINE)
    share = cv2.resize(fine, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    return np.where(share >= 128, np.uint8(255), np.uint8(0))


def _contours(mask: np.ndarray, box: tuple[int, int, int, int]) -> list[list[list[int]]]:
    """Return the outer contours of a mask, in pixels of the picture."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=box[:2])
    return [cast("list[list[int]]", contour[:, 0].tolist()) for contour in contours if len(contour) >= 3]


def _set_depth(depth_m: np.ndarray, thing: Thing, mask: np.ndarray, box: tuple, camera: Camera) -> None:
    """Write the depth of a thing. Modifies `depth_m`."""
    left, top, right, bottom = box
    window = depth_m[top:bottom, left:right]
    if isinstance(thing.marks[0], Ground):
        rows = np.arange(top, bottom) + 0.5 - camera.horizon
        depth = (camera.focal_px * camera.height_m / np.maximum(rows, 0.3))[:, None]
    elif thing.wall_x_m is not None:
        columns = np.arange(left, right) + 0.5 - (camera.width / 2 - camera.focal_px * np.tan(camera.yaw))
        side = np.sign(thing.wall_x_m)
        depth = (camera.focal_px * abs(thing.wall_x_m) / np.maximum(columns * side, 0.3))[None]
    else:
        depth = np.array([[thing.depth_m]])
    np.copyto(window, np.minimum(depth, FAR_M).astype(np.float32), where=mask > 0)
