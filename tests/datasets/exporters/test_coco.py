"""COCO's compressed run lengths against pycocotools."""

import contextlib
import io

import numpy as np
import pytest

from semseg.datasets.exporters import Request, plan
from semseg.datasets.exporters.coco import encode
from tests.datasets.exporters.test_planning import CLASSES, draw_mask, write_set

codec = pytest.importorskip("pycocotools.mask")


def test_run_lengths_are_those_of_pycocotools_character_by_character():
    generator = np.random.default_rng(0)
    for shape, share in (((1, 1), 1), ((30, 40), 0.5), ((300, 400), 0.999), ((300, 400), 0.001)):
        mask = generator.random(shape) < share
        ((_, counts, area, box),) = encode(np.where(mask, 0, 255).astype(np.uint8))
        theirs = codec.encode(np.asfortranarray(mask.astype(np.uint8)))
        assert (counts, area, list(box)) == (theirs["counts"].decode(), codec.area(theirs), list(codec.toBbox(theirs)))


def test_pycocotools_reads_the_file_to_the_same_masks(tmp_path):
    masks = {"a/1": draw_mask(np.random.default_rng(0), 20, 30)}
    write_set(tmp_path, masks)
    classes = str(tmp_path / "classes.yaml")
    plan(Request("coco", tmp_path / "pred", tmp_path / "out", tmp_path / "photos", classes)).write()
    with contextlib.redirect_stdout(io.StringIO()):
        file = pytest.importorskip("pycocotools.coco").COCO(str(tmp_path / "out/annotations/instances_default.json"))
    assert [file.cats[i]["name"] for i in sorted(file.cats)] == list(CLASSES)
    painted = np.full((20, 30), 255)
    for annotation in file.anns.values():
        painted[file.annToMask(annotation).astype(bool)] = annotation["category_id"] - 1
    assert np.array_equal(painted, masks["a/1"])
