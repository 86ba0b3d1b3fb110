"""Polygons along the borders of pixels, and their well-known binary (WKB).

Outlines are traced in pixel coordinates, which are whole numbers, and only then placed on the earth. A corner that
several polygons share therefore has exactly the same coordinates in each of them, also at the border of two windows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from semseg.labels import IGNORED

_HEAD = struct.Struct("<BII")  # byte order, type of geometry, number of rings
_POLYGON = 3


class Outline(NamedTuple):
    """One polygon: pixels of one class that share edges.

    Attributes:
        train_id: of its class.
        area_px: number of its pixels.
        rings: the outer ring, then the holes; float64, shape (points, 2): x and y on the map; the last point equals
            the first. The outer ring is counterclockwise, holes are clockwise.
    """

    train_id: int
    area_px: int
    rings: tuple[np.ndarray, ...]


def trace_outlines(train_ids: np.ndarray, left_top: tuple[int, int], transform: Any) -> Iterator[Outline]:
    """Yield the polygons of a window of a mask.

    Args:
        train_ids: uint8, shape (height, width); 255 has no polygon.
        left_top: column and row of the window in the mask.
        transform: from column and row in the mask to x and y, an `affine.Affine`.
    """
    from rasterio.features import shapes

    is_mirrored = transform.determinant < 0  # rows go down, as on most maps
    for geometry, value in shapes(train_ids, mask=train_ids != IGNORED, connectivity=4):
        rings, area = [], 0
        for number, points in enumerate(geometry["coordinates"]):
            pixels = np.array(points)
            turn = _signed_area(pixels)
            area += abs(turn) if number == 0 else -abs(turn)
            is_counterclockwise = (turn > 0) != is_mirrored
            if is_counterclockwise != (number == 0):
                pixels = pixels[::-1]
            rings.append(place_points(pixels + left_top, transform))
        yield Outline(int(value), round(area), tuple(rings))


def place_points(pixels: np.ndarray, transform: Any) -> np.ndarray:
    """Return x and y of points on the map, float64, shape (points, 2), from their columns and rows in the mask."""
    columns, rows = pixels.T
    x = transform.a * columns + transform.b * rows + transform.c
    y = transform.d * columns + transform.e * rows + transform.f
    return np.stack([x, y], axis=1)


def _signed_area(points: np.ndarray) -> float:
    """Return the area within a closed ring; positive if it is counterclockwise where y goes up."""
    x, y = (points - points[0]).T
    return float(x[:-1] @ y[1:] - x[1:] @ y[:-1]) / 2


def encode_wkb(rings: Sequence[np.ndarray]) -> bytes:
    """Return a polygon as WKB, little-endian, see OGC 06-103r4, section 8.

    Example:
        >>> import numpy as np
        >>> from semseg.datasets.map_polygons.pixel_outlines import decode_wkb, encode_wkb
        >>> square = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)], float)
        >>> len(encode_wkb([square]))
        93
        >>> np.array_equal(decode_wkb(encode_wkb([square]))[0], square)
        True
    """
    parts = [_HEAD.pack(1, _POLYGON, len(rings))]
    for ring in rings:
        parts += [struct.pack("<I", len(ring)), ring.astype("<f8").tobytes()]
    return b"".join(parts)


def decode_wkb(wkb: bytes) -> tuple[np.ndarray, ...]:
    """Return the rings of a polygon in little-endian WKB: float64, shape (points, 2)."""
    order, kind, num_rings = _HEAD.unpack_from(wkb)
    assert (order, kind) == (1, _POLYGON)  # as this project writes it
    start, rings = _HEAD.size, []
    for _ in range(num_rings):
        (num_points,) = struct.unpack_from("<I", wkb, start)
        rings.append(np.frombuffer(wkb, "<f8", 2 * num_points, start + 4).reshape(-1, 2))
        start += 4 + 16 * num_points
    return tuple(rings)
