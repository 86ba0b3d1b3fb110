"""COCO's files against pycocotools itself."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semseg.datasets.importers import Request, coco, plan
from semseg.datasets.importers.shapes import paint
from semseg.labels import IGNORED
from tests.conftest import raises

codec = pytest.importorskip("pycocotools.mask")
coco_api = pytest.importorskip("pycocotools.coco")

HEIGHT, WIDTH = 40, 50
SIZE = (WIDTH, HEIGHT)


def square(left, top, side):
    return [left, top, left + side, top, left + side, top + side, left, top + side]


def annotation(segmentation, category=1, **more):
    return {"image_id": 1, "category_id": category, "segmentation": segmentation, "iscrowd": 0, **more}


def write(path, *annotations, **more):
    content = {
        "images": [{"id": 1, "file_name": "street/a.jpg", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 1, "name": "road"}, {"id": 2, "name": "car"}, {"id": 3, "name": "sky"}],
        "annotations": [{"id": 100 + index, **entry} for index, entry in enumerate(annotations)],
    }
    path.write_text(json.dumps(content | more))
    return path


def draw(path, order="area"):
    image = coco.parse(path, order=order).images[0]
    assert [shape.problem(SIZE) for shape in image.shapes] == [None] * len(image.shapes)
    return paint(image.shapes, SIZE, {"road": 1, "car": 2, "sky": 3}.__getitem__)[0]


def random_polygon(generator):
    points = generator.uniform(-5, 55, (generator.integers(3, 9), 2))
    return points.ravel().tolist()


def random_mask(generator):
    return np.asfortranarray(generator.random((HEIGHT, WIDTH)) > 0.5, np.uint8)


def compressed(mask):
    code = codec.encode(mask)
    return {"size": code["size"], "counts": code["counts"].decode()}


def uncompressed(mask):
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if flat[0] else counts}


@pytest.mark.parametrize("seed", range(20))
def test_every_kind_of_segmentation_has_the_pixels_of_pycocotools(tmp_path, seed):
    generator = np.random.default_rng(seed)
    mask = random_mask(generator)
    segmentations = [
        [random_polygon(generator)],
        [random_polygon(generator), random_polygon(generator)],
        compressed(mask),
        uncompressed(mask),
    ]
    path = tmp_path / "instances.json"
    for segmentation in segmentations:
        write(path, annotation(segmentation))
        reference = coco_api.COCO(str(path))
        expected = reference.annToMask(reference.anns[100]).astype(bool)
        assert np.array_equal(draw(path) == 1, expected)
    assert np.array_equal(expected, mask.astype(bool))


def test_larger_areas_are_painted_first_and_crowds_before_all(tmp_path):
    small = annotation([square(10, 10, 5)], 2)
    large = annotation([square(5, 5, 20)], 1, area=1)  # the field is not trusted
    crowd = annotation(uncompressed(np.ones((HEIGHT, WIDTH), np.uint8)), 3, iscrowd=1)
    tiny_crowd = annotation([square(11, 11, 2)], 3, iscrowd=1)
    train_ids = draw(write(tmp_path / "x.json", small, tiny_crowd, large, crowd))
    assert [train_ids[0, 0], train_ids[6, 6], train_ids[12, 12]] == [3, 1, 2]


def test_equal_areas_are_painted_in_file_order(tmp_path):
    road, car = annotation([square(5, 5, 9)], 1), annotation([square(5, 5, 9)], 2)
    assert draw(write(tmp_path / "x.json", road, car))[8, 8] == 2
    assert draw(write(tmp_path / "x.json", car, road))[8, 8] == 1


def test_file_order_can_be_asked_for(tmp_path):
    small, large = annotation([square(10, 10, 5)], 2), annotation([square(5, 5, 20)], 1, iscrowd=1)
    assert draw(write(tmp_path / "x.json", small, large), order="file")[12, 12] == 1


def test_what_no_segmentation_covers_is_unpainted(tmp_path):
    assert (draw(write(tmp_path / "x.json", annotation([square(0, 0, 5)])))[20:] == IGNORED).all()


def test_the_categories_are_declared_and_the_images_are_looked_for_in_cocos_folders(tmp_path):
    source = tmp_path / "annotations/instances_val2017.json"
    source.parent.mkdir()
    parsed = coco.parse(write(source))
    assert parsed.declared == ("road", "car", "sky")
    assert parsed.images[0].name == "street/a"
    assert tmp_path / "val2017/street/a.jpg" in parsed.images[0].image_paths
    assert coco.parse(source, Path("photos")).images[0].image_paths[0] == Path("photos/street/a.jpg")


def test_categories_without_annotations_stay_classes(tmp_path):
    (tmp_path / "street").mkdir()
    Image.new("RGB", SIZE).save(tmp_path / "street/a.jpg")
    planned = plan(Request("coco", write(tmp_path / "x.json", annotation([square(0, 0, 5)])), tmp_path / "out"))
    assert planned.classes.names == ("car", "road", "sky")
    assert "no shape in this split: car, sky" in planned.notes


@pytest.mark.parametrize(
    ("segmentation", "problem"),
    [
        ([], "no polygon in it"),
        (None, "no polygon in it"),
        ([[1, 1, 5, 5]], "polygon of 2 points; expected 3 or more"),
        ([square(0, 0, 9000)], r"point (9000, 0), which is not near the 50x40 image"),
        ([[float("nan"), 1, 2, 2, 3, 3]], "point (nan, 1), which is not near the 50x40 image"),
        ({"size": [40, 50], "counts": [10, 10]}, "run lengths of 20 pixels; expected 50x40=2000"),
        ({"size": [40, 50], "counts": "5"}, "run lengths of 5 pixels; expected 50x40=2000"),
        ({"size": [50, 40], "counts": [2000]}, "run lengths of a 40x50 image; expected 50x40"),
    ],
)
def test_shapes_that_cannot_be_drawn_are_described(tmp_path, segmentation, problem):
    (shape,) = coco.parse(write(tmp_path / "x.json", annotation(segmentation))).images[0].shapes
    assert shape.problem(SIZE) == problem


@pytest.mark.parametrize(
    ("change", "values"),
    [
        ({"images": None}, "no list 'images'"),
        ({"categories": [{"id": 1}]}, "without 'name'"),
        ({"images": [{"id": 1}, {"id": 1}]}, "images share an id"),
        ({"annotations": [{"segments_info": []}]}, "panoptic"),
        ({"annotations": [annotation([]) | {"image_id": 7}]}, "number 0 .*image 7, .*'images'"),
        ({"annotations": [annotation([], 9)]}, "number 0 has category 9, .*'categories'"),
        ({"annotations": [annotation({"size": [40, 50], "counts": "5P"})]}, r"\(counts that are truncated\)"),
        ({"annotations": [annotation({"size": [40, 50], "counts": "5 "})]}, r"\(the character ' ' in its counts\)"),
        ({"annotations": [annotation([[1, 2, 3]])]}, r"\(a polygon of 3 numbers\)"),
        ({"images": [{"id": 1}], "annotations": []}, "image 1 has no file_name"),
    ],
)
def test_files_that_are_not_in_the_format_of_coco_are_named(tmp_path, change, values):
    with raises("E-data-annotation", r"x\.json: .*" + values):
        coco.parse(write(tmp_path / "x.json", **change))


def test_a_folder_is_not_a_file(tmp_path):
    with raises("E-data-missing", str(tmp_path)):
        coco.parse(tmp_path)
