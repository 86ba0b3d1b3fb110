"""Polygons and label ids become train ids, pixel for pixel as cityscapesScripts draws them."""

import json
import random
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from semseg.datasets.cityscapes.annotation import draw_train_ids, encode_png, read_label_ids, read_polygons
from semseg.labels import CITYSCAPES
from tests.conftest import raises

GROUPS = ["cargroup", "persongroup", "ridergroup", "polegroup", "license plategroup"]
NAMES = [label.name for label in CITYSCAPES.labels] + GROUPS


def random_annotation(seed: int, width: int = 96, height: int = 64) -> dict:
    """Polygons of every kind that the reference accepts, sane or not."""
    rng = random.Random(seed)
    objects = []
    for _ in range(rng.randint(0, 40)):
        num_points = rng.choice([2, 3, 3, 4, 8, 25])
        reach = rng.choice([0, 20, 10_000])  # pixels outside the image
        points = [[rng.randint(-reach, width + reach), rng.randint(-reach, height + reach)]] * num_points
        if rng.random() < 0.9:  # else all points are one
            points = [[rng.uniform(-reach, width + reach), rng.uniform(-reach, height + reach)] for _ in points]
            if rng.random() < 0.7:
                points = [[round(x), round(y)] for x, y in points]
        objects.append({"label": rng.choice(NAMES), "polygon": points})
        if rng.random() < 0.2:
            objects[-1]["deleted"] = rng.choice([0, 1])
    return {"imgWidth": width, "imgHeight": height, "objects": objects}


def square(label: str, **more) -> dict:
    return {"label": label, "polygon": [[2, 2], [2, 9], [9, 9], [9, 2]], **more}


@pytest.fixture
def reference(tmp_path):
    """Draw an annotation with cityscapesScripts."""
    json2label = pytest.importorskip("cityscapesscripts.preparation.json2labelImg").json2labelImg

    def draw(annotation: dict) -> np.ndarray:
        (tmp_path / "reference.json").write_text(json.dumps(annotation))
        json2label(str(tmp_path / "reference.json"), str(tmp_path / "reference.png"), "trainIds")
        return np.asarray(Image.open(tmp_path / "reference.png"))

    return draw


@pytest.mark.parametrize("seed", range(60))
def test_random_polygons_are_drawn_as_cityscapesscripts_draws_them(reference, seed):
    annotation = random_annotation(seed)
    train_ids = draw_train_ids(annotation)
    assert np.array_equal(train_ids, reference(annotation))
    assert set(np.unique(train_ids)) <= {*range(19), 255}


@pytest.mark.parametrize("name", NAMES)
def test_every_label_is_drawn_as_cityscapesscripts_draws_it(reference, name):
    annotation = {"imgWidth": 16, "imgHeight": 12, "objects": [square("road"), square(name)]}
    assert np.array_equal(draw_train_ids(annotation), reference(annotation))


def test_the_cases_that_differ_from_plain_drawing():
    def center(*objects):
        return draw_train_ids({"imgWidth": 16, "imgHeight": 12, "objects": objects})[5, 5]

    assert center() == 255
    assert center(square("car")) == 13
    assert center(square("cargroup")) == 13
    assert center(square("car"), square("sky", deleted=1)) == 13
    assert center(square("car"), square("license plate")) == 13
    assert center(square("car"), square("out of roi")) == 255
    assert center(square("polegroup")) == 255  # a label of its own, not a group of poles


def test_values_that_are_no_train_ids_are_not_encoded():
    with raises("E-data-mask-values", r"^33 .*0 to 18 and 255$"):
        encode_png(np.array([[0, 33]], np.uint8))


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (2048, 1024)])
def test_the_png_is_gray_and_reads_back_the_same_everywhere(tmp_path, size):
    gray = np.random.default_rng(0).choice([*range(19), 255], size[::-1]).astype(np.uint8)
    path = tmp_path / "x.png"
    path.write_bytes(encode_png(gray))
    image = Image.open(path)
    assert image.mode == "L"
    assert np.array_equal(np.asarray(image), gray)
    assert np.array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), gray)


def write_png(path: Path, values, mode: str = "L") -> Path:
    image = Image.fromarray(np.array(values, np.uint8))
    (image if mode == "L" else image.convert(mode)).save(path)
    return path


@pytest.mark.parametrize("seed", range(20))
def test_label_ids_give_the_pixels_that_drawing_gives(tmp_path, seed):
    json2label = pytest.importorskip("cityscapesscripts.preparation.json2labelImg").json2labelImg
    polygons_path, label_ids_path = tmp_path / "x_polygons.json", tmp_path / "x_labelIds.png"
    polygons_path.write_text(json.dumps(random_annotation(seed)))
    json2label(str(polygons_path), str(label_ids_path), "ids")
    assert np.array_equal(read_label_ids(label_ids_path), read_polygons(polygons_path))


@pytest.mark.parametrize(
    ("values", "mode", "code", "problem"),
    [
        ([[7, 77]], "L", "E-data-mask-values", "it holds 77, .*train-id image"),
        ([[0, 255]], "L", "E-data-mask-values", "it holds 255,"),
        ([[7, 7]], "RGB", "E-data-encoding", "a PNG of mode RGB"),
        ([[7, 7]], "P", "E-data-encoding", "a PNG of mode P"),
    ],
)
def test_a_png_that_holds_no_label_ids_says_why(tmp_path, values, mode, code, problem):
    with raises(code, f"^{problem}"):
        read_label_ids(write_png(tmp_path / "x.png", values, mode))


def test_label_ids_cut_short_anywhere_are_refused(tmp_path):
    path = write_png(tmp_path / "x.png", np.random.default_rng(0).integers(0, 34, (12, 16)))
    whole = path.read_bytes()
    for length in range(len(whole) - 4):  # the last 4 are the checksum of an empty chunk
        path.write_bytes(whole[:length])
        with raises("E-data-unreadable"):
            read_label_ids(path)


def test_a_missing_file_is_the_file_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_label_ids(tmp_path / "x.png")


def with_polygon(polygon) -> str:
    return json.dumps({"imgWidth": 4, "imgHeight": 4, "objects": [{"label": "car", "polygon": polygon}]})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", r"not JSON \(Expecting value"),
        (b"\xff\xfe\xfd", r"not JSON \("),
        ("[]", "not the annotation of an image: list indices"),
        ("3", "not the annotation of an image"),
        ("{}", "no 'imgWidth' in it"),
        ('{"imgWidth": 4, "imgHeight": 4}', "no 'objects' in it"),
        ('{"imgWidth": 4, "imgHeight": 4, "objects": null}', "not the annotation of an image"),
        ('{"imgWidth": "wide", "imgHeight": 4, "objects": []}', "not the annotation of an image"),
        ('{"imgWidth": 0, "imgHeight": 4, "objects": []}', "imgWidth and imgHeight are 0 and 4"),
        ('{"imgWidth": Infinity, "imgHeight": 4, "objects": []}', "not the annotation of an image"),
        ('{"imgWidth": 4, "imgHeight": 4, "objects": [{"label": "car"}]}', "no 'polygon' in object 0"),
        ('{"imgWidth": 4, "imgHeight": 4, "objects": [{"polygon": []}]}', "no 'label' in object 0"),
        ('{"imgWidth": 4, "imgHeight": 4, "objects": ["car"]}', "object 0 cannot be drawn"),
        (with_polygon([[1, 1]]), "object 0 cannot be drawn: coordinate list must contain at least 2"),
        (with_polygon([[1], [2]]), "object 0 cannot be drawn"),
        (with_polygon([["a", 1]] * 3), "object 0 cannot be drawn"),
        (with_polygon(None), "object 0 cannot be drawn"),
    ],
)
def test_a_broken_polygon_file_says_what_is_wrong_with_it(tmp_path, content, problem):
    path = tmp_path / "x_polygons.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with raises("E-data-annotation", f"^{problem}"):
        read_polygons(path)
