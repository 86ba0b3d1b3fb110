"""The shapes of annotation programs as plain values, and the only function that paints them as train ids.

Each kind of shape is filled in the same way as by the program that it comes from: `Outline` with Pillow as in
labelme, `Polygons` with pycocotools as in COCO and CVAT; `Runs` and `Bitmap` hold their pixels themselves.
Points are (x, y) in pixels from the upper left corner; sizes are (width, height).
"""

from __future__ import annotations

import base64
import binascii
import io
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, NamedTuple, Protocol

import cv2
import numpy as np
from PIL import Image, ImageDraw

from semseg.errors import InvalidDataError
from semseg.labels import IGNORED

Points = tuple[tuple[float, float], ...]
Size = tuple[int, int]

_FAR = 10  # image sizes; points farther away are in another unit, and not drawn imprecisely
_NUM_POINTS = {  # minimum, maximum
    "polygon": (3, math.inf),
    "rectangle": (2, 2),
    "oriented_rectangle": (4, 4),
    "circle": (2, 2),
    "line": (2, 2),
    "linestrip": (2, math.inf),
}


@dataclass(frozen=True)
class Outline:
    """A shape of labelme: `kind` is one of its shape types that have an area, or a line with a width."""

    label: str
    kind: str
    points: Points
    line_width_px: int = 10

    def problem(self, size: Size) -> str | None:
        least, most = _NUM_POINTS[self.kind]
        if not least <= len(self.points) <= most:
            expected = f"{least}" if least == most else f"{least} or more"
            return f"{self.kind} of {len(self.points)} points; expected {expected}"
        return _find_far_point(self.points, size)

    def sticks_out(self, size: Size) -> bool:
        return _is_outside(self.points, size)

    def mask(self, size: Size) -> np.ndarray:
        image = Image.new("L", size)
        draw = ImageDraw.Draw(image)
        xs, ys = zip(*self.points, strict=True)
        if self.kind == "circle":
            radius = math.dist(*self.points)
            draw.ellipse((xs[0] - radius, ys[0] - radius, xs[0] + radius, ys[0] + radius), fill=1, outline=1)
        elif self.kind == "rectangle":
            draw.rectangle((min(xs), min(ys), max(xs), max(ys)), fill=1, outline=1)
        elif self.kind in ("line", "linestrip"):
            draw.line(self.points, fill=1, width=self.line_width_px)
        else:
            draw.polygon(self.points, fill=1, outline=1)
        return np.asarray(image).view(bool)


@dataclass(frozen=True)
class Polygons:
    """One object: the union of one or more polygons."""

    label: str
    polygons: tuple[Points, ...]

    def problem(self, size: Size) -> str | None:
        if not self.polygons:
            return "no polygon in it"
        for points in self.polygons:
            if len(points) < 3:
                return f"polygon of {len(points)} points; expected 3 or more"
        return _find_far_point(self._all_points(), size)

    def sticks_out(self, size: Size) -> bool:
        return _is_outside(self._all_points(), size)

    def mask(self, size: Size) -> np.ndarray:
        codec = require_pycocotools()
        flat = [[value for point in points for value in point] for points in self.polygons]
        columns = codec.decode(codec.merge(codec.frPyObjects(flat, size[1], size[0]))).T
        return cv2.transpose(columns).view(bool)  # many times faster than numpy's transpose

    def _all_points(self) -> Points:
        return tuple(point for points in self.polygons for point in points)


@dataclass(frozen=True, eq=False)
class Runs:
    """Run lengths, the first one of background, in a box (left, top, width, height).

    COCO counts along the columns (`order="F"`) of the whole image, CVAT along the rows (`order="C"`) of the box.
    """

    label: str
    counts: np.ndarray  # int64
    box: tuple[int, int, int, int]
    order: Literal["C", "F"]  # as in numpy

    def problem(self, size: Size) -> str | None:
        _, _, width, height = self.box
        if min(width, height) < 1:
            return f"run lengths of a {width}x{height} box"
        if self.order == "F" and (width, height) != size:
            return f"run lengths of a {width}x{height} image; expected {size[0]}x{size[1]}"
        if (self.counts < 0).any() or self.counts.sum() != width * height:
            return f"run lengths of {self.counts.sum()} pixels; expected {width}x{height}={width * height}"
        return None

    def sticks_out(self, size: Size) -> bool:
        left, top, width, height = self.box
        return left < 0 or top < 0 or left + width > size[0] or top + height > size[1]

    def mask(self, size: Size) -> np.ndarray:
        return _paste(self._pixels(), self.box[:2], size)

    def _pixels(self) -> np.ndarray:
        _, _, width, height = self.box
        is_object = np.arange(len(self.counts)) % 2 == 1
        return np.repeat(is_object, self.counts).reshape((height, width), order=self.order)


@dataclass(frozen=True)
class Bitmap:
    """A small image in base64, whose upper left pixel is at `corner`: labelme's shape type `mask`."""

    label: str
    png_base64: str
    corner: tuple[int, int]

    def problem(self, size: Size) -> str | None:
        try:
            self._pixels()
        except (binascii.Error, OSError, ValueError):
            return "mask that is not an image in base64"
        return None

    def sticks_out(self, size: Size) -> bool:
        height, width = self._pixels().shape
        left, top = self.corner
        return left < 0 or top < 0 or left + width > size[0] or top + height > size[1]

    def mask(self, size: Size) -> np.ndarray:
        return _paste(self._pixels(), self.corner, size)

    def _pixels(self) -> np.ndarray:
        with Image.open(io.BytesIO(base64.b64decode(self.png_base64))) as image:
            return np.asarray(image.convert("L")).astype(bool)


class Shape(Protocol):
    """The interface of shapes: Outline, Polygons, Runs and Bitmap here, Layer of `class_masks`, Brush of
    `label_studio`."""

    @property
    def label(self) -> str:
        """The name that the annotation gives to it."""

    def problem(self, size: Size) -> str | None:
        """Return why it cannot be drawn on an image of this size; None if it can."""

    def sticks_out(self, size: Size) -> bool:
        """Return whether a part of it is outside of the image."""

    def mask(self, size: Size) -> np.ndarray:
        """Return its pixels: bool, shape (height, width)."""


class Painting(NamedTuple):
    """The result of `paint`.

    Attributes:
        train_ids: uint8, shape (height, width), IGNORED where nothing was painted.
        painted: bool, shape (height, width), true where something was painted.
        covered: number of pixels by (train id below, train id painted over it), where the two differ.
    """

    train_ids: np.ndarray
    painted: np.ndarray
    covered: Counter[tuple[int, int]]


def paint(shapes: Iterable[Shape], size: Size, id_of: Callable[[str], int]) -> Painting:
    """Paint shapes, later ones over earlier ones.

    Args:
        shapes: without a `problem`; parts outside of the image are cut off.
        size: width and height of the image.
        id_of: returns the train id of a label, IGNORED for ignored labels.
    """
    train_ids = np.full(size[::-1], IGNORED, np.uint8)
    painted = np.zeros(size[::-1], bool)
    covered: Counter[tuple[int, int]] = Counter()
    for shape in shapes:
        mask, train_id = shape.mask(size), id_of(shape.label)
        below = np.bincount(train_ids[mask & painted], minlength=IGNORED + 1)
        covered += Counter(
            {(int(under), train_id): int(below[under]) for under in below.nonzero()[0] if under != train_id}
        )
        np.copyto(train_ids, np.uint8(train_id), where=mask)
        painted |= mask
    return Painting(train_ids, painted, covered)


def stated_size(width: Any, height: Any, place: object) -> Size | None:
    """Return the size of a picture that an annotation states; None if it states none.

    Args:
        width, height: as they were read.
        place: of the annotation, for the error.

    Raises:
        ValueError: they are no numbers.
    """
    if not width or not height:
        return None
    try:
        return int(width), int(height)
    except (OverflowError, TypeError, ValueError):
        raise InvalidDataError(
            f"{place}: width {width!r} and height {height!r} are no numbers of pixels", code="E-data-annotation"
        ) from None


def require_pycocotools() -> ModuleType:
    """Return `pycocotools.mask`.

    Raises:
        ValueError: it is not installed.
    """
    try:
        from pycocotools import mask
    except ImportError:
        raise InvalidDataError(
            "COCO's and CVAT's polygons are drawn by pycocotools, which is not installed; run pip install -e .[import]",
            code="E-data-package",
        ) from None
    return mask


def _is_outside(points: Points, size: Size) -> bool:
    return any(not (0 <= x <= size[0] and 0 <= y <= size[1]) for x, y in points)


def _find_far_point(points: Points, size: Size) -> str | None:
    limit = _FAR * max(size)
    for x, y in points:
        if not (abs(x) <= limit and abs(y) <= limit):  # also for NaN
            return f"point ({x:g}, {y:g}), which is not near the {size[0]}x{size[1]} image"
    return None


def _paste(pixels: np.ndarray, corner: tuple[int, int], size: Size) -> np.ndarray:
    """Return a mask of the whole image with a small mask in it, without the part that is outside."""
    left, top = corner
    mask = np.zeros(size[::-1], bool)
    inside = pixels[max(0, -top) : max(0, size[1] - top), max(0, -left) : max(0, size[0] - left)]
    top, left = max(0, top), max(0, left)
    mask[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return mask
