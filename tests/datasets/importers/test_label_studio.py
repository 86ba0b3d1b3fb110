"""Exports of Label Studio: which annotation counts, every kind of region, and where images are."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semseg.datasets.brush_rle import encode_brush
from semseg.datasets.importers import Request, label_studio, plan
from semseg.datasets.importers.shapes import paint
from semseg.labels import IGNORED
from tests.conftest import raises

pytest.importorskip("pycocotools.mask")
SIZE = (20, 10)
IDS = {"a": 1, "b": 2}


def region(kind, label="a", **value):
    result = {"id": "r", "type": f"{kind}labels", "original_width": SIZE[0], "original_height": SIZE[1]}
    return result | {"image_rotation": 0, "value": {**value, f"{kind}labels": [label]}}


def brush(mask, label="a"):
    return region("brush", label, format="rle", rle=list(encode_brush(mask)))


def box(label="a", **more):
    return region("rectangle", label, x=10, y=20, width=50, height=40, rotation=0) | more


def numbered(*results):
    return [result | {"id": f"r{i}"} for i, result in enumerate(results)]


def write(path, *tasks):
    path.write_text(json.dumps([{"id": i, "data": {"image": f"{i}.jpg"}, **task} for i, task in enumerate(tasks)]))
    return path


def annotated(*results, **more):
    return {"annotations": [{"result": numbered(*results), **more}]}


def draw(tmp_path, *results):
    (image,) = label_studio.parse(write(tmp_path / "x.json", annotated(*results))).images
    assert [shape.problem(SIZE) for shape in image.shapes] == [None] * len(image.shapes)
    return paint(image.shapes, SIZE, IDS.__getitem__)[0]


def test_brushes_polygons_rectangles_and_ellipses_are_painted_in_file_order(tmp_path):
    mask = np.zeros((10, 20), bool)
    mask[1:4, 2:9] = True
    mask[2, 4] = False
    assert np.array_equal(draw(tmp_path, brush(mask)) == 1, mask)
    expected = np.full((10, 20), IGNORED)
    expected[2:6, 2:12] = 1
    assert np.array_equal(draw(tmp_path, box()), expected)
    polygon = region("polygon", "b", points=[[25, 0], [75, 0], [75, 30], [25, 30]], closed=True)
    expected[0:3, 5:15] = 2
    assert np.array_equal(draw(tmp_path, box(), polygon), expected)
    ellipse = region("ellipse", x=50, y=50, radiusX=25, radiusY=40, rotation=0)
    assert abs((draw(tmp_path, ellipse) == 1).sum() - np.pi * 5 * 4) < 4


def test_rectangles_are_turned_clockwise_around_their_corner(tmp_path):
    turned = region("rectangle", x=50, y=20, width=20, height=40, rotation=90)
    assert np.argwhere(draw(tmp_path, turned) == 1).min(0).tolist() == [2, 6]
    assert np.argwhere(draw(tmp_path, turned) == 1).max(0).tolist() == [5, 9]


def test_separate_tools_and_labels_are_joined_by_their_id(tmp_path):
    shape = box() | {"id": "x", "type": "rectangle"}
    del shape["value"]["rectanglelabels"]
    label = {"id": "x", "type": "labels", "value": {"x": 1, "labels": ["b"]}}
    path = write(tmp_path / "x.json", {"annotations": [{"result": [shape, label]}]})
    assert [one.label for one in label_studio.parse(path).images[0].shapes] == ["b"]


def test_the_newest_annotation_counts_then_the_prediction_and_skipped_tasks_are_reported(tmp_path):
    old, new = ({"result": [box(label)], "updated_at": f"2024-0{i}-01"} for i, label in ((1, "a"), (2, "b")))
    guess = {"result": [box("a")], "model_version": "semseg"}
    tasks = [
        {"annotations": [new, old], "predictions": [guess]},
        {"annotations": [], "predictions": [guess]},
        {"annotations": [old | {"was_cancelled": True}], "predictions": [guess]},
        {"annotations": [new | {"was_cancelled": True}, old]},
        {"annotations": [], "cancelled_annotations": 1, "predictions": []},
        {},
    ]
    parsed = label_studio.parse(write(tmp_path / "x.json", *tasks))
    assert [(image.name, [shape.label for shape in image.shapes]) for image in parsed.images] == [
        ("0", ["b"]),
        ("1", ["a"]),
        ("3", ["a"]),
    ]
    assert parsed.notes == (
        "left out: tasks that were skipped or cancelled: 2",
        "left out: tasks without annotation or prediction: 1",
        "tasks without annotation, whose prediction is used: 1",
        "tasks with several annotations, of which the newest is used: 1",
    )


def test_what_is_no_area_is_counted(tmp_path):
    point = region("keypoint", x=1, y=1, width=0.5)
    choice = {"id": "c", "type": "choices", "value": {"choices": ["day"]}}
    parsed = label_studio.parse(write(tmp_path / "x.json", annotated(box(), point, choice)))
    assert parsed.left_out == (("choices", 1), ("keypointlabels", 1))


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("/data/local-files/?d=photos/a%20b/1.jpg", "a b/1"),
        ("/data/upload/3/0123abcd-1.jpg", "1"),
        ("s3://bucket/photos/a b/1.jpg", "a b/1"),
        ("https://host/x/a%20b/1.jpg?token=x", "a b/1"),
        ("C:\\photos\\a b\\1.jpg", "a b/1"),
        ("/data/local-files/?d=../../a%20b/1.jpg", "a b/1"),
    ],
)
def test_images_are_found_by_the_end_of_their_path(tmp_path, image, name):
    for place in ("a b/1.jpg", "1.jpg"):
        (tmp_path / "photos" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / place).touch()
    path = write(tmp_path / "x.json", {"data": {"image": image}, **annotated(box())})
    (found,) = label_studio.parse(path, tmp_path / "photos").images
    assert (found.name, found.image_paths) == (name, (tmp_path / f"photos/{name}.jpg",))


def test_an_import_writes_the_corrections_and_a_missing_image_is_named(tmp_path):
    Image.new("RGB", SIZE).save(tmp_path / "0.jpg")
    path = write(tmp_path / "x.json", annotated(box("car")))
    request = Request("label-studio", path, tmp_path / "out", images_dir=tmp_path)
    done = plan(request)
    assert "painted in file order, later shapes over earlier ones" in done.describe(done.write())
    assert np.asarray(Image.open(tmp_path / "out/train_ids/train/0.png")).tolist()[3][:4] == [255, 255, 0, 0]
    (tmp_path / "0.jpg").unlink()
    with raises("E-data-missing", "1 of 1 images are not there, first .*0.jpg"):
        plan(request)
    Image.new("RGB", (21, 10)).save(tmp_path / "0.jpg")
    with raises("E-data-images", "21x10, annotated at 20x10"):
        plan(request)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("[", "not JSON"),
        ([{"image": "1.jpg", "tag": []}], "a task without 'data'"),
        ([{"data": {"text": "x"}}], "no image in its data, only text"),
        ([{"data": {"image": "x.jpg"}, "annotations": [7]}], "annotations hold no 'result'"),
        ([{"data": {"image": "x.jpg"}, **annotated(box(original_width=None))}], "not Label Studio's"),
        ([{"data": {"image": "x.jpg"}, **annotated(box(image_rotation=90))}], "turned by 90 degrees"),
        ([{"data": {"image": "x.jpg"}, **annotated(region("brush", rle=[300]))}], "not Label Studio's"),
        ([{"data": {"image": "x.jpg"}, **annotated(region("brush", rle="abc"))}], "run lengths as text"),
        ([{"data": {"image": "x.jpg"}, **annotated(box(), box(original_width=9))}], "sizes"),
    ],
)
def test_wrong_files_are_one_sentence(tmp_path, content, match):
    path = tmp_path / "x.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with raises("E-data-annotation", match):
        label_studio.parse(path)


def test_missing_files_are_named(tmp_path):
    with raises("E-data-missing", "no file or folder"):
        label_studio.parse(Path("nowhere"))
    with raises("E-data-missing", "no .json file"):
        label_studio.parse(tmp_path)
