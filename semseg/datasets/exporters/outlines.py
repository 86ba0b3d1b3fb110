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
Point = tuple[int, int]  # x, y


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
    tops = _tops(mask)
    chain = _Chain()
    outer_nodes: list[int] = []
    holes: list[tuple[Point, int]] = []
    lines: dict[int, tuple[list[int], list[int]]] = {}  # by y: left ends and first nodes of the horizontal sides
    for ring in _rings(mask):
        x, y = ring[0]  # its upper left corner
        is_outer = y < len(mask) and x < mask.shape[1] and bool(mask[y, x])
        first = chain.add_ring(ring if is_outer else [ring[0], *ring[:0:-1]])
        if is_outer:
            outer_nodes.append(first)
        else:
            holes.append(((x, y), first))
        for place in range(0, len(ring), 2):
            (x0, y0), (x1, _) = ring[place], ring[place + 1]
            index = place if is_outer else (len(ring) - place - 1) % len(ring)  # of the first end on the way
            lefts, nodes = lines.setdefault(y0, ([], []))
            lefts.append(min(x0, x1))
            nodes.append(first + index)
    sorted_lines = {}
    for y, (lefts, nodes) in lines.items():
        order = np.argsort(lefts)
        sorted_lines[y] = np.array(lefts)[order], np.array(nodes)[order]
    cuts = []
    for (x, y), first in holes:  # straight up from the corner, along the left edge of pixels of the region
        top = int(tops[y - 1, x])
        lefts, nodes = sorted_lines[top]
        node = int(nodes[np.searchsorted(lefts, x, "right") - 1])
        cuts.append((abs(x - chain.points[node][0]), node, (x, top), first))
    for _, node, point, first in sorted(cuts, reverse=True):  # the nearest to the start of a side is inserted last
        chain.insert(node, point, first)
    return [_without_collinear(np.array(chain.follow(node))) for node in outer_nodes]


def trace_centers(mask: np.ndarray) -> Iterator[Region]:
    """Yield each region with its outline through the pixels of its border, which are part of the region.

    Args:
        mask: bool, shape (height, width).
    """
    contours, hierarchy = cv2.findContours(mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=_CONNECTIVITY)
    _, free_labels = cv2.connectedComponents((~mask).view(np.uint8), connectivity=4)
    tops = _tops(mask)
    chain = _Chain()
    nodes_by_point: dict[tuple[int, int | None], dict[Point, int]] = {}  # by region and free area; None: outside
    outer_nodes: dict[int, int] = {}
    holes: list[tuple[Point, int, int]] = []
    for contour, (_, _, _, parent) in zip(contours, hierarchy[0] if contours else (), strict=True):
        ring = [(int(x), int(y)) for x, y in contour[:, 0]]
        first = chain.add_ring(ring)
        label = int(labels[ring[0][1], ring[0][0]])
        free = None
        if parent < 0:
            outer_nodes[label] = first
        else:
            start = min(range(len(ring)), key=lambda place: ring[place][1])
            x, y = ring[start]  # above the upper row of the hole
            free = int(free_labels[y + 1, x])
            holes.append(((x, y), label, first + start))
        nodes_by_point[label, free] = {point: first + place for place, point in enumerate(ring)}
    for (x, y), label, first in holes:  # straight up through pixels of the region, to the next free area or the outside
        top = int(tops[y, x])
        above = nodes_by_point.get((label, int(free_labels[top - 1, x]) if top else None))
        above = above or nodes_by_point[label, None]
        chain.insert(above[x, top], (x, top), first)
    for label, node in outer_nodes.items():
        left, top, width, height = (int(value) for value in stats[label][:4])
        pixels = labels[top : top + height, left : left + width] == label
        yield Region(_without_collinear(np.array(chain.follow(node))), (left, top), pixels)


class _Chain:
    """Closed rings of points, into which other rings are inserted, each in the same short time.

    Attributes:
        points: (x, y) by number of the node.
    """

    def __init__(self) -> None:
        self.points: list[Point] = []
        self._next: list[int] = []

    def add_ring(self, ring: list[Point]) -> int:
        """Add a ring, and return the node of its first point; the others follow."""
        first = len(self.points)
        self.points += ring
        self._next += [*range(first + 1, first + len(ring)), first]
        return first

    def insert(self, node: int, point: Point, first: int) -> None:
        """After a node, go to `point`, to the node `first`, around its ring, and back to `point`."""
        start, end, back = (len(self.points) + i for i in range(3))
        last = self._next[first]  # the ring goes on here; the way around ends at a copy of `first`
        self.points += [point, self.points[first], point]
        self._next += [end, last, self._next[node]]
        # start -> copy of first -> ring -> first -> back -> what followed the node
        self._next[node] = start
        self._next[first] = back

    def follow(self, first: int) -> list[Point]:
        """Return the points of the ring of a node."""
        ring, node = [self.points[first]], self._next[first]
        while node != first:
            ring.append(self.points[node])
            node = self._next[node]
        return ring


def _tops(mask: np.ndarray) -> np.ndarray:
    """Return, for each pixel of a region, the first row that is reached straight up without leaving the region."""
    rows = np.where(mask, 0, np.arange(1, len(mask) + 1)[:, None])
    return np.maximum.accumulate(rows, axis=0)


def _rings(mask: np.ndarray) -> Iterator[list[Point]]:
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
