"""Polygons of YOLO, in the layouts of Ultralytics and Roboflow."""

import numpy as np
import pytest
from PIL import Image

from tests.conftest import raises
from tests.datasets.importers.published import imported, save_photo


def yolo(root, data_yaml=None):
    """Photographs of 6x4 pixels: a large car on the left with a small wheel in it, an empty file, and no file."""
    for image, text in (
        ("images/train/a.jpg", "1 0.2 0.3 0.3 0.3 0.3 0.7 0.2 0.7\n0 0 0 0.49 0 0.49 1 0 1\n"),
        ("images/train/b.jpg", "0 0.5 0 1 0 1 1 0.5 1\n"),
        ("images/train/empty.jpg", ""),
        ("images/val/c.jpg", "0 0 0 1 0 1 0.3 0 0.3\n1 0 0.6 1 0.6 1 1 0 1\n"),
        ("images/val/none.jpg", None),
    ):
        save_photo(root / image)
        if text is not None:
            path = (root / image.replace("images", "labels")).with_suffix(".txt")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    (root / "data.yaml").write_text(data_yaml or "path: .\ntrain: images/train\nval: images/val\nnames: [car, wheel]\n")


@pytest.mark.parametrize(
    "data_yaml",
    [
        None,
        "train: ../images/train\nval: ../images/val\nnc: 2\nnames: ['car', 'wheel']\ndownload: raise SystemExit\n",
        "path: /elsewhere/raw\ntrain: train.txt\nvalid: [images/val]\nnames: {0: car, 1: wheel}\n",
    ],
    ids=["ultralytics", "roboflow", "list"],
)
def test_polygons_of_yolo_are_painted_larger_ones_first(tmp_path, data_yaml):
    yolo(tmp_path / "raw", data_yaml)
    lines = [f"./images/train/{name}.jpg" for name in ("a", "b", "empty")]
    (tmp_path / "raw/train.txt").write_text("\n".join(lines))
    plan, dataset, splits = imported("yolo", tmp_path / "raw")
    assert dataset.classes == ("background", "car", "wheel")
    assert splits == {
        "train": {"a": [1, 1, 1, 0, 0, 0], "b": [0, 0, 0, 1, 1, 1], "empty": [0] * 6},
        "val": {"c": [1] * 6, "none": [0] * 6},
    }
    mask = np.asarray(Image.open(next((tmp_path / "out/train_ids/train").rglob("a.png"))))
    assert mask[1, 1] == mask[2, 1] == 2
    assert "images without text file, which are only background: 1" in plan.notes


def test_background_of_yolo_can_be_ignored(tmp_path):
    yolo(tmp_path / "raw")
    plan, dataset, splits = imported("yolo", tmp_path / "raw/data.yaml", label_map=("background=ignore",))
    assert dataset.classes == ("car", "wheel")
    assert splits == {"train": {"a": [0] * 3 + [255] * 3, "b": [255] * 3 + [0] * 3}, "val": {"c": [0] * 6}}
    assert "left out: 2 images without shapes" in plan.notes


@pytest.mark.parametrize(
    ("line", "code", "values"),
    [
        ("0 0.5 0.5 0.2 0.2", "E-data-annotation", "1 of 5 shapes cannot be drawn, first in b a 'car': a box"),
        ("0 10 10 20 10 20 20", "E-data-annotation", r"point \(10, 10\); expected 0 to 1"),
        ("0 0.1 nan 0.2 0.2 0.3 0.3", "E-data-annotation", r"point \(0.1, nan\); expected 0 to 1"),
        ("0 0.1 0.1 0.2 0.2 0.3", "E-data-annotation", r"b\.txt line 1: expected class x1 y1"),
        ("car 0.1 0.1 0.2 0.2 0.3 0.3", "E-data-annotation", r"b\.txt line 1: expected class x1 y1"),
        ("7 0.1 0.1 0.2 0.2 0.3 0.1", "E-data-labels", r"1 label is not in .*: '7' \(1 shape\)"),
    ],
)
def test_a_wrong_line_of_yolo_is_named(tmp_path, line, code, values):
    yolo(tmp_path / "raw")
    (tmp_path / "raw/labels/train/b.txt").write_text(line)
    with raises(code, values):
        imported("yolo", tmp_path / "raw")


def test_a_wrong_data_yaml_is_named(tmp_path):
    for text, code, values in (
        ("train: images/train\n", "E-data-yaml", "no names in it"),
        ("names: [car, car]\ntrain: images/train\n", "E-data-yaml", "a list of different names"),
        ("names: [car]\ntrain: pictures\n", "E-data-missing", "train: no folder or list pictures"),
        ("names: [car]\n", "E-data-yaml", "expected train, val or test"),
        ("names: [car", "E-data-yaml", "is not YAML"),
    ):
        yolo(tmp_path / "raw", text)
        with raises(code, values):
            imported("yolo", tmp_path / "raw")
    (tmp_path / "raw/data.yaml").rename(tmp_path / "raw/one.yaml")
    (tmp_path / "raw/two.yaml").write_text("")
    with raises("E-data-yaml", "several YAML files"):
        imported("yolo", tmp_path / "raw")
