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
