"""Read "CVAT for images 1.1": polygons, boxes, ellipses, run lengths.

Painting order: by `z_order` (0 if missing), then file order.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np

from semseg.datasets.importers.coco import mask_name
from semseg.datasets.importers.parsed import Annotated, Parsed
from semseg.datasets.importers.shapes import Outline, Polygons, Runs, Shape
from semseg.errors import InvalidDataError, MissingDataError

_WITHOUT_AREA = ("points", "polyline", "cuboid", "skeleton")
_WITH_AREA = ("polygon", "box", "ellipse", "mask")
_ELLIPSE_CORNERS = 180


def parse(source: Path, images_dir: Path | None = None, line_width_px: int | None = None) -> Parsed:
    """Read an annotations file.

    Args:
        source: the XML file, or the folder of an unpacked export that holds `annotations.xml`.
        images_dir: folder of the images; default: in `images` beside the file, and beside the file.
        line_width_px: of polylines; default: they are left out, as in CVAT's own masks.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is not an annotations file of CVAT.
    """
    path = source / "annotations.xml" if source.is_dir() else source
    if not path.is_file():
        raise MissingDataError(
            f"no file {path}; unpack an export of the format 'CVAT for images 1.1'", code="E-data-missing"
        )
    if path.suffix.lower() == ".zip":
        raise InvalidDataError(
            f"{path}: this is a packed export; unpack it and give the folder", code="E-data-annotation"
        )
    reader = _Reader(path, line_width_px)
    reader.read()
    images = []
    for attributes, shapes in reader.images:
        try:
            name, size = attributes["name"], (int(attributes["width"]), int(attributes["height"]))
        except (KeyError, ValueError) as error:
            fault = f"without {error}" if isinstance(error, KeyError) else f"with a size that is no number ({error})"
            raise InvalidDataError(
                f"{path}: an image {fault}; export as 'CVAT for images 1.1'", code="E-data-annotation"
            ) from None
        folders = (path.parent / "images", path.parent) if images_dir is None else (images_dir,)
        images.append(
            Annotated(
                name=mask_name(name),
                image_paths=tuple(folder / name.replace("\\", "/") for folder in folders),
                size=size,
                shapes=tuple(shape for _, _, shape in sorted(shapes, key=lambda entry: entry[:2])),
            )
        )
    left_out = tuple(sorted(reader.left_out.items()))
    return Parsed(tuple(images), left_out=left_out, order="by z_order, then in file order")


class _Reader:
    """Collects images and shapes while expat reads the file, which is never in memory as a whole."""

    def __init__(self, path: Path, line_width_px: int | None) -> None:
        self.path = path
        self.line_width_px = line_width_px
        self.images: list[tuple[dict, list[tuple[int, int, Shape]]]] = []
        self.left_out: Counter = Counter()
        self.root = None
        self.open_skeletons = 0

    def read(self) -> None:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        try:
            with self.path.open("rb") as file:
                parser.ParseFile(file)
        except expat.ExpatError as error:
            raise InvalidDataError(f"{self.path}: not XML ({error})", code="E-data-annotation") from None
        if not self.images:
            raise InvalidDataError(
                f"{self.path}: no image in it; export as 'CVAT for images 1.1'", code="E-data-annotation"
            )

    def _refuse_doctype(self, *_: Any) -> None:
        # a DOCTYPE may define entities that expand to any size; CVAT writes none
        raise InvalidDataError(
            f"{self.path}: it holds a DOCTYPE, which CVAT does not write; remove it", code="E-data-annotation"
        )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if self.root is None and tag != "annotations":
            raise InvalidDataError(
                f"{self.path}: it starts with <{tag}>; expected <annotations> of CVAT", code="E-data-annotation"
            )
        self.root = self.root or tag
        if tag == "track":
            raise InvalidDataError(
                f"{self.path}: it holds tracks of a video; export as 'CVAT for images 1.1'", code="E-data-annotation"
            )
        if tag == "image":
            self.images.append((attributes, []))
        elif self.images and not self.open_skeletons:
            self._add(tag, attributes)
        self.open_skeletons += tag == "skeleton"

    def _end(self, tag: str) -> None:
        self.open_skeletons -= tag == "skeleton"

    def _add(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in _WITHOUT_AREA and not (tag == "polyline" and self.line_width_px):
            self.left_out[tag] += 1
        elif tag in _WITH_AREA or tag == "polyline":
            image, shapes = self.images[-1]
            try:
                order = int(attributes.get("z_order", 0))
                shapes.append((order, len(shapes), _parse_shape(tag, attributes, self.line_width_px)))
            except (KeyError, OverflowError, ValueError) as error:
                reason = f"no {error}" if isinstance(error, KeyError) else str(error)
                raise InvalidDataError(
                    f"{self.path}: a {tag} of image {image.get('name')!r} is not CVAT's ({reason})",
                    code="E-data-annotation",
                ) from None


def _parse_shape(tag: str, attributes: dict[str, str], line_width_px: int | None) -> Shape:
    label = attributes["label"]

    def numbers(*names: str) -> list[float]:
        return [float(attributes[name]) for name in names]

    if tag == "mask":
        counts = np.array([int(count) for count in attributes["rle"].split(",")], np.int64)
        left, top, width, height = (int(value) for value in numbers("left", "top", "width", "height"))
        return Runs(label, counts, (left, top, width, height), "C")
    angle = math.radians(float(attributes.get("rotation", 0)))
    if tag == "box":
        left, top, right, bottom = numbers("xtl", "ytl", "xbr", "ybr")
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        return Polygons(label, (_rotate(corners, ((left + right) / 2, (top + bottom) / 2), angle),))
    if tag == "ellipse":
        x, y, radius_x, radius_y = numbers("cx", "cy", "rx", "ry")
        steps = [2 * math.pi * index / _ELLIPSE_CORNERS for index in range(_ELLIPSE_CORNERS)]
        corners = tuple((x + radius_x * math.cos(step), y + radius_y * math.sin(step)) for step in steps)
        return Polygons(label, (_rotate(corners, (x, y), angle),))
    pairs = (pair.split(",") for pair in attributes["points"].split(";"))
    points = tuple((float(x), float(y)) for x, y in pairs)
    if tag == "polyline":
        assert line_width_px is not None  # polylines are left out without a width
        return Outline(label, "linestrip", points, line_width_px)
    return Polygons(label, (points,))


def _rotate(points: tuple, center: tuple[float, float], angle: float) -> tuple:
    """Rotate clockwise on the screen, where y points down."""
    if not angle:
        return points
    cos, sin = math.cos(angle), math.sin(angle)
    moved = ((x - center[0], y - center[1]) for x, y in points)
    return tuple((center[0] + x * cos - y * sin, center[1] + x * sin + y * cos) for x, y in moved)
