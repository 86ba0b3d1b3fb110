"""From a scene to its annotation: the outlines of the things, in painting order, and the label ids."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw

from semseg.datasets.toycity.scene import Ground, Scene, Thing
from semseg.labels import CITYSCAPES

_FINE = 2  # outlines are taken from masks of this many pixels per pixel
_SHIFT = 3  # binary places of OpenCV's fixed point coordinates
FAR_M = 2000.0
"""Depth of the sky."""


@dataclass(frozen=True)
class Annotation:
    """What a person would have drawn over the photograph, and the distances that nobody sees."""

    objects: list[dict]  # {"label": name, "polygon": [[x, y], ...]}, whole pixels, painted in order
    label_ids: np.ndarray  # uint8, (height, width)
    depth_m: np.ndarray  # float32, (height, width)


def fill_mask(mask: np.ndarray, polygon: np.ndarray, scale: float, left: int = 0, top: int = 0) -> None:
    """Set a polygon to 255 in a mask.

    Args:
        mask: uint8, shape (height, width); written to.
        polygon: pixels of the picture, shape (n, 2).
        scale: pixels of the mask per pixel of the picture.
        left: column of the mask in the scaled picture.
        top: row of the mask in the scaled picture.
    """
    fixed = (polygon * scale - (0.5 + left, 0.5 + top)) * (1 << _SHIFT)
    cv2.fillPoly(mask, [np.rint(fixed).astype(np.int32)], 255, cv2.LINE_8, _SHIFT)


def bounds(polygons: list[np.ndarray], width: int, height: int) -> tuple[int, int, int, int] | None:
    """The pixels that polygons can touch: left, top, right, bottom (exclusive); None if outside."""
    corners = polygons[0] if len(polygons) == 1 else np.concatenate(polygons)
    (low_u, low_v), (high_u, high_v) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    left, top = max(0, math.floor(low_u) - 1), max(0, math.floor(low_v) - 1)
    right, bottom = min(width, math.ceil(high_u) + 1), min(height, math.ceil(high_v) + 1)
    return (left, top, right, bottom) if right > left and bottom > top else None


def annotate(scene: Scene) -> Annotation:
    """Outline every thing of a scene.

    The polygons are the contours of what the marks of a thing cover, so that picture and annotation
    come from the same projection.
    """
    camera = scene.camera
    objects: list[dict] = []
    depth_m = np.full((camera.height, camera.width), FAR_M, np.float32)
    for thing in scene.things:
        polygons = [mark.polygon for mark in thing.marks]
        box = bounds(polygons, camera.width, camera.height) if polygons else None
        if box is None:
            continue
        mask = _cover(polygons, box)
        if thing.label is not None:
            objects += [{"label": thing.label, "polygon": polygon} for polygon in _contours(mask, box)]
        _set_depth(depth_m, thing, mask, box, scene)
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
    """The pixels of a box that polygons cover by about a half or more: uint8, 0 or 255."""
    left, top, right, bottom = box
    fine = np.zeros(((bottom - top) * _FINE, (right - left) * _FINE), np.uint8)
    for polygon in polygons:
        fill_mask(fine, polygon, _FINE, left * _FINE, top * _FINE)
    share = cv2.resize(fine, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    return np.where(share >= 128, np.uint8(255), np.uint8(0))


def _contours(mask: np.ndarray, box: tuple[int, int, int, int]) -> list[list[list[int]]]:
    """The outer outlines of a mask, in pixels of the picture."""
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=box[:2])
    return [contour[:, 0].tolist() for contour in found if len(contour) >= 3]


def _set_depth(depth_m: np.ndarray, thing: Thing, mask: np.ndarray, box: tuple, scene: Scene) -> None:
    left, top, right, bottom = box
    camera = scene.camera
    window = depth_m[top:bottom, left:right]
    if isinstance(thing.marks[0], Ground):
        rows = np.arange(top, bottom) + 0.5 - (camera.height / 2 - camera.focal_px * np.tan(camera.pitch))
        depth = (camera.focal_px * camera.height_m / np.maximum(rows, 0.3))[:, None]
    elif thing.wall_x_m is not None:
        columns = np.arange(left, right) + 0.5 - (camera.width / 2 - camera.focal_px * np.tan(camera.yaw))
        side = np.sign(thing.wall_x_m)
        depth = (camera.focal_px * abs(thing.wall_x_m) / np.maximum(columns * side, 0.3))[None]
    else:
        depth = np.array([[thing.depth_m]])
    np.copyto(window, np.minimum(depth, FAR_M).astype(np.float32), where=mask > 0)
