"""Outlines of the regions of a mask as polygons that a program paints as exactly the same pixels.

A polygon cannot have a hole. Here a hole is joined to the outline around it by a cut: the outline goes along the cut to
the hole, around the hole in the other direction, and back along the same cut. Programs that fill by the even-odd rule
(pycocotools, Pillow) or by the winding number (web pages) leave the hole free, and the cut has no width.

Two kinds of outlines fit two ways of painting. `trace_edges` goes along the edges of the pixels, for programs that take
a pixel if its area is inside, such as pycocotools for COCO and CVAT. `trace_centers` goes through the pixels of
the border, for programs that paint the border too, such as Pillow for labelme.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

_CONNECTIVITY = 8  # pixels that touch at a corner are of one region


class Region(NamedTuple):
    """A region of connected pixels.

    Attributes:
        polygon: (x, y) of its outline with all holes, int64, shape (points, 2).
        corner: x, y of the upper left pixel of its box.
        pixels: bool, shape (height, width) of the box.
    """

    polygon: np.ndarray
    corner: tuple[int, int]
    pixels: np.ndarray


def trace_edges(mask: np.ndarray) -> list[np.ndarray]:
    """Return the outline of each region along the edges of its pixels.

    A pixel covers x to x + 1 and y to y + 1. All sides are horizontal or vertical.

    Args:
        mask: bool, shape (height, width).

    Returns:
        (x, y), int64, shape (points, 2), for each region.
    """
    _, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=_CONNECTIVITY)
    outlines: dict[int, list[tuple[int, int]]] = {}
    for ring in _rings(mask):
        x, y = ring[0]  # its upper left corner
        if y < len(mask) and x < mask.shape[1] and mask[y, x]:
            outlines[labels[y, x]] = ring
        else:  # a hole; the pixel above is of the region, whose outer ring comes first
            label = labels[y - 1, x]
            outlines[label] = _cut_to_hole(outlines[label], ring)
    return [_without_collinear(np.array(ring)) for ring in outlines.values()]


def trace_centers(mask: np.ndarray) -> Iterator[Region]:
    """Yield each region with its outline through the pixels of its border, which are part of the region.

    Args:
        mask: bool, shape (height, width).
    """
    contours, hierarchy = cv2.findContours(mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=_CONNECTIVITY)
    holes: dict[int, list[np.ndarray]] = {}
    for contour, (_, _, _, parent) in zip(contours, hierarchy[0] if contours else (), strict=True):
        if parent >= 0:
            holes.setdefault(parent, []).append(contour[:, 0])
    for index, (contour, (_, _, _, parent)) in enumerate(zip(contours, hierarchy[0] if contours else (), strict=True)):
        if parent >= 0:
            continue
        ring = [(int(x), int(y)) for x, y in contour[:, 0]]
        label = labels[ring[0][1], ring[0][0]]
        for hole in sorted(holes.get(index, ()), key=lambda points: points[:, 1].min()):
            ring = _cut_through_pixels(ring, hole, mask)
        left, top, width, height, _ = stats[label].tolist()
        pixels = labels[top : top + height, left : left + width] == label
        yield Region(_without_collinear(np.array(ring)), (left, top), pixels)


def _rings(mask: np.ndarray) -> Iterator[list[tuple[int, int]]]:
    """Yield the closed borders of all regions and holes, each as its corners, in the order of their first corners.

    Only the corners are visited: in each row and in each column of the grid, the 1st and the 2nd corner are the ends
    of a side, the 3rd and the 4th, and so on. Where two pixels touch at a corner, it counts twice. Each ring starts at
    its upper left corner and goes to the right first.
    """
    padded = np.pad(mask, 1).view(np.uint8)
    upper_left, upper_right = padded[:-1, :-1], padded[:-1, 1:]
    lower_left, lower_right = padded[1:, :-1], padded[1:, 1:]
    is_corner = (upper_left ^ upper_right ^ lower_left ^ lower_right).astype(bool)
    is_double = (upper_left == lower_right) & (upper_right == lower_left) & (upper_left != upper_right)
    counts = np.where(is_double, 2, is_corner)
    ys, xs = np.nonzero(counts)
    repeats = counts[ys, xs]
    ys, xs = np.repeat(ys, repeats), np.repeat(xs, repeats)  # in the order of the rows
    along_row = np.arange(len(xs)) ^ 1
    # the two copies of a double corner: the 1st has the side to the left, the 2nd that to the right; the pixels that
    # touch are of one region, so a ring goes around each of the two free pixels: from the left down or up to it
    second = np.zeros(len(xs), bool)
    second[1:] = (xs[1:] == xs[:-1]) & (ys[1:] == ys[:-1])
    left_goes_down = upper_left[ys, xs] == 1
    along_column = np.empty(len(xs), np.int64)
    order = np.lexsort((second ^ (left_goes_down & is_double[ys, xs]), ys, xs))
    along_column[order] = order[np.arange(len(order)) ^ 1]
    points = list(zip(xs.tolist(), ys.tolist(), strict=True))
    row_partner, column_partner = list(map(int, along_row)), list(map(int, along_column))
    is_visited = bytearray(len(points))
    for first in range(len(points)):
        if is_visited[first]:
            continue
        ring, corner = [], first
        while not is_visited[corner]:
            partner = row_partner[corner]
            is_visited[corner] = is_visited[partner] = 1
            ring += [points[corner], points[partner]]
            corner = column_partner[partner]
        yield ring


def _cut_to_hole(ring: list[tuple[int, int]], hole: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join a hole to the ring around it by a vertical cut from its upper left corner, inside of the region."""
    x, y = hole[0]
    points = np.array(ring)
    ends = np.roll(points, -1, axis=0)
    left, right = np.minimum(points[:, 0], ends[:, 0]), np.maximum(points[:, 0], ends[:, 0])
    is_above = (points[:, 1] == ends[:, 1]) & (left <= x) & (x <= right) & (points[:, 1] <= y)
    candidates = np.flatnonzero(is_above)
    side = int(candidates[np.argmax(points[candidates, 1])])
    on_side = (x, int(points[side, 1]))
    reverse = [hole[0], *hole[:0:-1]]
    return [*ring[: side + 1], on_side, *reverse, hole[0], on_side, *ring[side + 1 :]]


def _cut_through_pixels(ring: list[tuple[int, int]], hole: np.ndarray, mask: np.ndarray) -> list[tuple[int, int]]:
    """Join the border of a hole to the ring around it by a vertical cut through pixels of the region."""
    start = int(np.argmin(hole[:, 1]))
    x, y = (int(value) for value in hole[start])
    around = [(int(x), int(y)) for x, y in np.roll(hole, -start, axis=0)]
    place_of = {point: place for place, point in enumerate(ring)}
    while (x, y) not in place_of and y > 0 and mask[y - 1, x]:
        y -= 1
    place = place_of.get((x, y))
    if place is None:  # the ring of another hole is above, which is joined later: a cut to any point is as good
        place, (x, y) = 0, ring[0]
    return [*ring[: place + 1], *around, around[0], (x, y), *ring[place + 1 :]]


def _without_collinear(points: np.ndarray) -> np.ndarray:
    """Leave out repeated points and points in the middle of a straight side; a side that turns back stays."""
    while True:
        before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
        is_turn = (before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]) | ((before * after).sum(1) < 0)
        is_new = (before != 0).any(1)
        kept = is_new & (is_turn | ~(after != 0).any(1))
        if kept.all() or not kept.any():
            return points if kept.any() else points[:1]
        points = points[kept]
