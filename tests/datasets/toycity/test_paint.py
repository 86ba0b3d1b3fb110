"""The pictures: painted where they are annotated, and not in flat colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from semseg.datasets import toycity
from semseg.datasets.toycity import textures
from semseg.labels import CITYSCAPES


@pytest.fixture(scope="module")
def rendered() -> list:
    return [toycity.render(picture) for picture in toycity.plan_cityscapes(Path("r"), {"train": 6}, (512, 256), seed=0)]


@pytest.mark.slow
def test_the_picture_is_not_flat(rendered):
    for image, annotation in rendered:
        assert image.dtype == np.uint8
        assert image.std() > 20
        for name in ("road", "building", "vegetation"):
            pixels = image[annotation.label_ids == CITYSCAPES.by_name[name].label_id]
            assert len(np.unique(pixels, axis=0)) > min(500, len(pixels) / 2)
            assert pixels.std(axis=0).min() > 2


@pytest.mark.slow
def test_edges_of_the_picture_lie_on_edges_of_the_annotation(rendered):
    """Colour changes more across the outline of a vehicle than elsewhere."""
    for image, annotation in rendered:
        is_vehicle = np.isin(annotation.label_ids, [26, 27, 28, 31])
        outline = is_vehicle[:, 1:] != is_vehicle[:, :-1]
        change = np.abs(np.diff(image.astype(int), axis=1)).sum(axis=2)
        if outline.sum() > 200:
            assert change[outline].mean() > 2.0 * change.mean()


def test_tiles_have_no_mean_and_repeat():
    for name in ("asphalt", "leaf", "brick"):
        tile = textures.tile(name)
        assert tile.shape == (textures.EDGE, textures.EDGE)
        assert abs(float(tile.mean())) < 0.06
        around = textures.window(name, (textures.EDGE - 4, 0), 8, 8, 1.0)
        np.testing.assert_allclose(around[:4, 4:6], textures.window(name, (0, 0), 2, 4, 1.0), atol=0.5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("style", "means", "deviations"),
    [
        (
            "toycity",
            [(88.76, 92.32, 91.93), (86.08, 88.97, 90.94), (109.65, 110.18, 104.03)],
            [(42.04, 43.26, 43.6), (43.18, 42.43, 49.8), (40.43, 40.19, 44.57)],
        ),
        (
            "rosario",
            [(138.64, 128.15, 116.87), (132.69, 115.82, 103.49), (112.63, 117.81, 116.7)],
            [(45.39, 41.98, 52.24), (54.55, 46.78, 58.47), (38.75, 41.93, 55.31)],
        ),
    ],
)
def test_the_colours_of_a_seed_never_change(style, means, deviations):
    """Statistics, not bytes: other versions of OpenCV may round resampled and blurred pixels differently."""
    pictures = toycity.plan_cityscapes(Path("r"), {"train": 3}, (256, 128), seed=0)
    if style == "rosario":
        pictures = toycity.plan_rosario(Path("r"), 3, 0, seed=0)
    images = [toycity.render(picture)[0] for picture in pictures]
    np.testing.assert_allclose([image.mean(axis=(0, 1)) for image in images], means, atol=0.1)
    np.testing.assert_allclose([image.std(axis=(0, 1)) for image in images], deviations, atol=0.1)


def test_a_sample_at_whole_pixels_is_the_tile_repeated():
    columns, rows = np.meshgrid([-1.0, 0, 5, textures.EDGE + 5], [0.0, 3, -textures.EDGE])
    sample = textures.sample("cloud", columns, rows)
    tile = textures.tile("cloud")
    np.testing.assert_array_equal(sample, tile[np.ix_([0, 3, 0], [-1, 0, 5, 5])])
