"""Write a JSON file of labelme for each image: a mask per class, or a polygon per region."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from semseg.datasets.exporters.items import Item
from semseg.datasets.exporters.outlines import Region, trace_centers
from semseg.datasets.exporters.regions import bounding_box, crop, present_classes
from semseg.datasets.importers.class_lists import Classes
from semseg.datasets.importers.shapes import Outline
from semseg.system.atomic import atomic_path

LABELS = "labels.txt"
_VERSION = "5.4.1"  # of labelme; since 5.3 there is the shape type mask


def encode_masks(train_ids: np.ndarray) -> list[tuple[int, dict]]:
    """Return train id and shape of each class that is present, without the label."""
    shapes = []
    for train_id in present_classes(train_ids):
        mask = train_ids == train_id
        box = bounding_box(mask)
        shapes.append((train_id, _mask_shape(crop(mask, box), box[:2])))
    return shapes


def encode_polygons(train_ids: np.ndarray) -> list[tuple[int, dict]]:
    """Return train id and shape of each region, without the label.

    labelme and the importer draw polygons with Pillow. Where that would paint other pixels, the region becomes a mask.
    """
    shapes = []
    for train_id in present_classes(train_ids):
        for region in trace_centers(train_ids == train_id):
            points = _points(region)
            shape = _shape("polygon", points) if _is_exact(region, points) else None
            shapes.append((train_id, shape or _mask_shape(region.pixels, region.corner)))
    return shapes


def write(out_dir: Path, items: Sequence[Item], classes: Classes, images_dir: Path, encoded: Iterable) -> list[str]:
    """Write a JSON file per image, and `labels.txt`; return a description of them.

    Copied images, in a folder of `out_dir`, have their files beside them, where labelme looks for them.
    """
    is_copied = images_dir.absolute().is_relative_to(out_dir.absolute())
    folder = images_dir if is_copied else out_dir / "annotations"
    for item, shapes in zip(items, encoded, strict=True):
        path = folder / f"{item.stem}.json"
        image_path = os.path.relpath((images_dir / item.name).absolute(), path.parent.absolute())
        content = {
            "version": _VERSION,
            "flags": {},
            "shapes": [{"label": classes.names[train_id], **shape} for train_id, shape in shapes],
            "imagePath": PurePosixPath(image_path).as_posix(),
            "imageData": None,
            "imageHeight": item.size[1],
            "imageWidth": item.size[0],
        }
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    with atomic_path(out_dir / LABELS) as temporary:
        temporary.write_text("\n".join(["__ignore__", *classes.names, ""]), encoding="utf-8")
    return [f"{folder.relative_to(out_dir)}/*.json", LABELS]


def _points(region: Region) -> list[tuple[float, float]]:
    """Return the outline through the middle of the pixels; a polygon has at least three points.

    Pillow cuts off the half, and draws between whole numbers.
    """
    points = [(x + 0.5, y + 0.5) for x, y in region.polygon.tolist()]
    return points if len(points) > 2 else [*points, *[points[0]] * (3 - len(points))]


def _is_exact(region: Region, points: list[tuple[float, float]]) -> bool:
    left, top = region.corner
    height, width = region.pixels.shape
    moved = tuple((x - left, y - top) for x, y in points)
    return bool((Outline("", "polygon", moved).mask((width, height)) == region.pixels).all())


def _mask_shape(pixels: np.ndarray, corner: tuple[int, int]) -> dict:
    """Return a shape whose points are the upper left and the lower right pixel."""
    content = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(content, "PNG")  # 0 and 1, as labelme writes them
    height, width = pixels.shape
    points = [(corner[0], corner[1]), (corner[0] + width - 1, corner[1] + height - 1)]
    return _shape("mask", points) | {"mask": base64.b64encode(content.getvalue()).decode("ascii")}


def _shape(kind: str, points: Sequence[tuple[float, float]]) -> dict:
    return {
        "points": [list(map(float, point)) for point in points],
        "group_id": None,
        "description": "",
        "shape_type": kind,
        "flags": {},
        "mask": None,
    }
