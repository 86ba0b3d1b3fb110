"""Outlines of regions, painted by the programs that labelling tools paint with."""

import numpy as np
import pytest

from semseg.datasets.exporters.labelme import encode_polygons
from semseg.datasets.exporters.outlines import trace_centers, trace_edges
from semseg.datasets.importers.shapes import Polygons

codec = pytest.importorskip("pycocotools.mask")


def parse(*rows):
    return np.array([[pixel == "#" for pixel in row] for row in rows])


RING = parse("#####", "#...#", "#.#.#", "#...#", "#####")


def test_a_hole_is_joined_by_a_cut_and_what_is_inside_is_another_region():
    outer, inner = trace_edges(RING)
    assert inner.tolist() == [[2, 2], [3, 2], [3, 3], [2, 3]]
    assert outer.tolist() == [[0, 0], [1, 0], [1, 4], [4, 4], [4, 1], [1, 1], [1, 0], [5, 0], [5, 5], [0, 5]]


def test_pixels_that_touch_at_a_corner_are_of_one_region():
    assert len(trace_edges(parse("#.#", ".#.", "#.#"))) == 1
    assert len(list(trace_centers(parse("#.#", ".#.", "#.#")))) == 1


def masks():
    generator = np.random.default_rng(0)
    for number in range(60):
        height, width = generator.integers(1, 30, 2)
        mask = generator.random((height, width)) < [0.2, 0.5, 0.6, 0.9][number % 4]
        if number % 3 == 0:
            mask = np.kron(mask, np.ones((3, 2), bool))
        if mask.any():
            yield mask


def test_edges_are_painted_as_the_same_pixels_by_pycocotools():
    for mask in masks():
        size = mask.shape[::-1]
        polygons = [Polygons("", (tuple(map(tuple, points.tolist())),)) for points in trace_edges(mask)]
        painted = sum(polygon.mask(size).astype(int) for polygon in polygons)
        assert np.array_equal(painted, mask)
        assert {polygon.problem(size) for polygon in polygons} == {None}


def test_centers_are_painted_as_the_same_pixels_by_pillow():
    for mask in masks():
        shapes = encode_polygons(np.where(mask, 0, 255).astype(np.uint8))
        assert {shape["shape_type"] for _, shape in shapes} == {"polygon"}  # a mask where Pillow paints other pixels


def test_regions_and_their_boxes_add_up_to_the_mask():
    for mask in masks():
        painted = np.zeros(mask.shape, int)
        for region in trace_centers(mask):
            (left, top), (height, width) = region.corner, region.pixels.shape
            painted[top : top + height, left : left + width] += region.pixels
        assert np.array_equal(painted, mask)
