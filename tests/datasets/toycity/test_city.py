"""The content of the scenes; nothing is painted here, annotations come from the scenes alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from semseg.datasets import toycity
from semseg.datasets.toycity.city import compose
from semseg.datasets.toycity.style import TOYCITY
from semseg.labels import CITYSCAPES
from tests.datasets.toycity.drawn import annotations

CLASSES = {label.name for label in CITYSCAPES.evaluated}
IGNORED_LABELS = {"ego vehicle", "out of roi", "static", "dynamic", "parking", "rail track"}


def labels_in(annotations) -> tuple[set[str], set[str]]:
    """Names that are visible as pixels, and names of polygons."""
    label_ids, names = set(), set()
    for annotation in annotations:
        label_ids |= set(np.unique(annotation.label_ids).tolist())
        names |= {item["label"] for item in annotation.objects}
    return {label.name for label in CITYSCAPES.labels if label.label_id in label_ids}, names


@pytest.mark.slow
def test_a_small_set_shows_every_class_and_no_label_that_the_city_lacks():
    pictures = toycity.plan_cityscapes(Path("r"), {"train": 20}, (256, 128), seed=0)
    visible, names = labels_in(annotations(pictures))
    assert visible == CLASSES | IGNORED_LABELS
    assert names == CLASSES | IGNORED_LABELS | {"license plate", "cargroup"}


@pytest.mark.slow
@pytest.mark.parametrize(("split", "count"), [("train", 20), ("val", 40), ("test", 20)])
def test_every_class_and_ignored_labels_occur_in_every_split(split, count):
    pictures = toycity.plan_cityscapes(Path("r"), {split: count}, (512, 256), seed=0)
    visible, names = labels_in(annotations(pictures))
    assert visible >= CLASSES
    assert visible >= {"ego vehicle", "out of roi", "static", "parking"}
    assert names >= {"license plate", "cargroup"}


@pytest.mark.slow
def test_every_class_occurs_in_the_labelled_pictures_of_rosario():
    visible, _ = labels_in(annotations(toycity.plan_rosario(Path("r"), 0, 20, seed=0)))
    assert visible >= CLASSES


def test_no_pixel_is_left_without_a_label():
    for annotation in annotations(toycity.plan_cityscapes(Path("r"), {"train": 5}, (512, 256), seed=2)):
        assert (annotation.label_ids > 0).all()


def test_things_shrink_with_distance():
    """The same camera sees a person at twice the distance at half the height."""
    scene = compose(np.random.default_rng(0), TOYCITY, 512, 256)
    near, _ = scene.camera.project(np.array([(0.0, 0, 10), (0.0, 1.8, 10)]))
    far, _ = scene.camera.project(np.array([(0.0, 0, 20), (0.0, 1.8, 20)]))
    assert np.ptp(near[:, 1]) == pytest.approx(2 * np.ptp(far[:, 1]), rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(128, 64), (480, 640), (1024, 512)])
def test_any_size_can_be_drawn(size):
    picture = toycity.plan_cityscapes(Path("r"), {"val": 1}, size, seed=4)[0]
    image, annotation = toycity.render(picture)
    assert image.shape == (size[1], size[0], 3)
    assert annotation.label_ids.shape == image.shape[:2]
