"""The polygons of an annotation."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from semseg.datasets import toycity
from semseg.datasets.toycity.outline import FAR_M, draw_label_ids
from semseg.labels import CITYSCAPES
from tests.datasets.toycity.drawn import annotations

PLANS = {
    "toycity": toycity.plan_cityscapes(Path("r"), {"train": 3}, (256, 128), seed=0),
    "rosario": toycity.plan_rosario(Path("r"), 3, 0, seed=0),
}


@pytest.fixture(scope="module")
def annotated() -> dict[str, list]:
    return {style: list(annotations(pictures)) for style, pictures in PLANS.items()}


@pytest.mark.slow
@pytest.mark.parametrize("style", PLANS)
def test_every_polygon_is_valid(annotated, style):
    for picture, annotation in zip(PLANS[style], annotated[style], strict=True):
        assert annotation.objects
        for item in annotation.objects:
            assert item["label"] in CITYSCAPES.by_name or item["label"] == "cargroup"
            assert len(item["polygon"]) >= 3
            assert all(type(number) is int for point in item["polygon"] for number in point)
            columns, rows = np.array(item["polygon"]).T
            assert 0 <= columns.min() <= columns.max() < picture.width
            assert 0 <= rows.min() <= rows.max() < picture.height
            assert len(np.unique(item["polygon"], axis=0)) >= 3
            if CITYSCAPES.by_name[item["label"].removesuffix("group")].label_id >= 0:
                assert draw_label_ids([item], picture.width, picture.height).any()


@pytest.mark.parametrize(
    ("style", "sha256"),
    [
        ("toycity", "5dca02a8394aa2ef44c7bd520fc5cc2fbf42a6d8165ffab13024226e9434d86c"),
        ("rosario", "4f731891a7bea28ec708503f8f5b49e56ce063e71677b03feaca3d2a7c9829ec"),
    ],
)
def test_the_polygons_of_a_seed_never_change(annotated, style, sha256):
    """ToyCity is frozen: results on it stay comparable.

    Only the polygons are pinned exactly: they are whole pixels. The colours depend on how the installed OpenCV rounds,
    see `test_the_colours_of_a_seed_never_change`.
    """
    objects = [annotation.objects for annotation in annotated[style]]
    assert hashlib.sha256(json.dumps(objects).encode()).hexdigest() == sha256


def test_depths_are_positive_and_end_at_the_sky(annotated):
    for annotation in annotated["toycity"]:
        assert annotation.depth_m.min() > 0
        assert annotation.depth_m.max() == FAR_M
