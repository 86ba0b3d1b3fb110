"""labelme's files: its shape types, its file layout, and files that it did not write."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.importers import Request, labelme, plan
from semseg.datasets.importers.shapes import paint
from semseg.datasets.pairs import find_pairs
from semseg.labels import IGNORED
from tests.conftest import raises

SIZE = (8, 6)  # width, height
IDS = {"a": 1, "b": 2}


def write(path, *shapes, image_path="photo.jpg", **more):
    content = {"version": "5.5.0", "imagePath": image_path, "imageData": None, "shapes": list(shapes)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content | {"imageWidth": SIZE[0], "imageHeight": SIZE[1]} | more))
    return path


def shape(points, kind="polygon", label="a", **more):
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, "flags": {}, **more}


def draw(tmp_path, *shapes, line_width_px=None):
    """Return the train ids as rows of text, with `.` where nothing was painted."""
    parsed = labelme.parse(write(tmp_path / "x.json", *shapes), line_width_px=line_width_px)
    train_ids, painted, _ = paint(parsed.images[0].shapes, SIZE, IDS.__getitem__)
    assert (train_ids[~painted] == IGNORED).all()
    return ["".join("." if value == IGNORED else str(value) for value in row) for row in train_ids]


# the pictures are those of labelme.utils.shapes_to_label (labelme 6.3)
@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (
            shape([[1, 1], [4, 1], [4, 3], [1, 3]]),
            ["........", ".1111...", ".1111...", ".1111...", "........", "........"],
        ),
        (
            shape([[5, 4], [2, 2]], "rectangle"),
            ["........", "........", "..1111..", "..1111..", "..1111..", "........"],
        ),
        (
            shape([[3, 2], [3, 4]], "circle"),
            ["..111...", ".11111..", ".11111..", ".11111..", "..111...", "........"],
        ),
        (
            shape([[0, 5], [7, 5]], "line"),
            ["........", *["11111111"] * 5],
        ),
    ],
)
def test_shapes_are_filled_as_labelme_fills_them(tmp_path, drawn, expected):
    assert draw(tmp_path, drawn) == expected


def test_lines_take_a_width(tmp_path):
    line = shape([[0, 2], [7, 2]], "linestrip")
    assert draw(tmp_path, line, line_width_px=1)[1:4] == ["." * 8, "1" * 8, "." * 8]


def test_a_mask_is_a_small_image_at_its_corner(tmp_path):
    png = io.BytesIO()
    Image.fromarray(np.array([[1, 0], [1, 1]], np.uint8)).save(png, "PNG")
    text = base64.b64encode(png.getvalue()).decode()
    assert draw(tmp_path, shape([[6, 0], [7, 1]], "mask", mask=text))[:2] == ["......1.", "......11"]


def test_later_shapes_cover_earlier_ones(tmp_path):
    low, high = [[0, 0], [3, 0], [3, 5], [0, 5]], [[2, 0], [5, 0], [5, 5], [2, 5]]
    assert set(draw(tmp_path, shape(low), shape(high, label="b"))) == {"112222.."}
    assert set(draw(tmp_path, shape(high, label="b"), shape(low))) == {"111122.."}


def test_points_have_no_area_and_are_counted(tmp_path):
    parsed = labelme.parse(write(tmp_path / "x.json", shape([[1, 1]], "point"), shape([[1, 1]], "point")))
    assert parsed.images[0].shapes == ()
    assert parsed.left_out == (("point", 2),)


def test_a_folder_is_read_with_its_subfolders_and_windows_paths(tmp_path):
    write(tmp_path / "street/2.json", image_path="..\\photos\\2.jpg")
    write(tmp_path / "1.json", image_path="C:\\Users\\x\\1.jpg")
    first, second = labelme.parse(tmp_path).images
    assert (first.name, second.name) == ("1", "street/2")
    assert tmp_path / "1.jpg" in first.image_paths
    assert second.image_paths[0] == tmp_path / "street/../photos/2.jpg"
    there = labelme.parse(tmp_path, Path("photos")).images[1].image_paths
    assert there[0] == Path("photos/street/2.jpg")


def test_the_size_may_be_absent(tmp_path):
    parsed = labelme.parse(write(tmp_path / "x.json", imageWidth=None, imageHeight=None))
    assert parsed.images[0].size is None


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("{", r"\(Expecting property name"),
        ("[]", "no 'shapes'"),
        ('{"shapes": []}', "no 'imagePath'"),
        ('{"imagePath": "a", "shapes": [{"points": []}]}', r"shape 0 .*\(no 'label'\)"),
        (
            '{"imagePath": "a", "shapes": [{"label": "a", "points": [["one", 2]]}]}',
            r"shape 0 .*\(could not convert string to float",
        ),
    ],
)
def test_files_that_labelme_did_not_write_are_named(tmp_path, text, values):
    (tmp_path / "x.json").write_text(text)
    with raises("E-data-annotation", rf"x\.json: .*{values}"):
        labelme.parse(tmp_path)


def test_nothing_to_read_is_named(tmp_path):
    with raises("E-data-missing", rf"\.json .*{tmp_path}"):
        labelme.parse(tmp_path)
    with raises("E-data-missing", "nowhere"):
        labelme.parse(Path("nowhere"))


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", ".png"), ("JPEG", ".jpg")])
def test_an_image_that_is_only_in_the_json_file_is_written_as_it_was(tmp_path, kind, suffix):
    stored = io.BytesIO()
    Image.new("RGB", SIZE, "gray").save(stored, kind)
    low = [[0, 0], [3, 0], [3, 5], [0, 5]]
    write(tmp_path / "drawn/a.json", shape(low), imageData=base64.b64encode(stored.getvalue()).decode())
    work = plan(Request(format="labelme", source=tmp_path / "drawn", out_dir=tmp_path / "out"))
    assert work.notes[0] == (
        f"images that were only in their JSON files (imageData): 1, written to {tmp_path}/out/images/train"
    )
    work.write()
    ((image_path, mask_path, _),) = find_pairs(read_dataset_file(tmp_path / "out/dataset.yaml"), "train").pairs
    assert image_path.resolve() == tmp_path / f"out/images/train/a{suffix}"
    assert image_path.read_bytes() == stored.getvalue()
    assert np.asarray(Image.open(mask_path))[0].tolist() == [0] * 4 + [IGNORED] * 4


def test_an_image_file_is_preferred_to_the_image_in_the_json_file(tmp_path):
    stored = io.BytesIO()
    Image.new("RGB", SIZE, "gray").save(stored, "PNG")
    image_data = base64.b64encode(stored.getvalue()).decode()
    write(tmp_path / "drawn/a.json", shape([[0, 0], [3, 0], [3, 5]]), imageData=image_data)
    Image.new("RGB", SIZE, "white").save(tmp_path / "drawn/photo.jpg")
    work = plan(Request(format="labelme", source=tmp_path / "drawn", out_dir=tmp_path / "out"))
    assert [picture.image_path.name for picture in work.pictures] == ["photo.jpg"]
    assert not work.pictures[0].is_embedded


@pytest.mark.parametrize("content", ["no base64 !", base64.b64encode(b"no image").decode()])
def test_image_data_that_is_no_image_is_named(tmp_path, content):
    write(tmp_path / "drawn/a.json", shape([[0, 0], [3, 0], [3, 5]]), imageData=content)
    request = Request(format="labelme", source=tmp_path / "drawn", out_dir=tmp_path / "out")
    with raises("E-data-images", r"a\.json, .*imageData"):
        plan(request)
    request = Request(format="labelme", source=tmp_path / "drawn", out_dir=tmp_path / "out", images_dir=tmp_path)
    with raises("E-data-images", r"a\.json, .*imageData"):
        plan(request)
