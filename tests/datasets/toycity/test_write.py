"""The files of Toy City: layout, schema, repeatability."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cityscapesscripts.helpers.annotation import Annotation
from cityscapesscripts.preparation.json2labelImg import createLabelImage
from PIL import Image

from semseg.datasets import toycity
from semseg.datasets.dataset_file import read_dataset_file
from semseg.labels import CITYSCAPES
from tests.conftest import REPO, raises

COUNTS = {"train": 4, "val": 2, "test": 2}
SIZE = (256, 128)


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("toycity")
    list(toycity.write_all(toycity.plan_cityscapes(root, COUNTS, SIZE, seed=0), 1))
    return root


@pytest.mark.slow
def test_the_layout_is_that_of_cityscapes(root):
    images = sorted(root.glob("leftImg8bit/*/*/*_leftImg8bit.png"))
    assert len(images) == sum(COUNTS.values())
    assert len(tree(root)) == 3 * len(images)
    for image_path in images:
        _, split, city, name = image_path.relative_to(root).parts
        stem = name.removesuffix("_leftImg8bit.png")
        assert stem.split("_")[0] == city
        assert [len(part) for part in stem.split("_")[1:]] == [6, 6]
        annotated = root / "gtFine" / split / city
        assert (annotated / f"{stem}_gtFine_polygons.json").is_file()
        with (
            Image.open(annotated / f"{stem}_gtFine_labelIds.png") as label_ids,
            Image.open(image_path) as image,
        ):
            assert (label_ids.mode, image.mode) == ("L", "RGB")
            assert label_ids.size == image.size == SIZE


def test_no_city_is_in_two_splits(root):
    cities = [path.name for path in root.glob("leftImg8bit/*/*")]
    assert len(cities) == len(set(cities))


def test_polygons_follow_the_official_schema_and_stay_inside_the_image(root):
    for path in root.rglob("*_polygons.json"):
        annotation = json.loads(path.read_text())
        assert set(annotation) == {"imgHeight", "imgWidth", "objects"}
        assert (annotation["imgWidth"], annotation["imgHeight"]) == SIZE
        for item in annotation["objects"]:
            assert set(item) == {"label", "polygon"}
            assert item["label"].removesuffix("group") in CITYSCAPES.by_name
            polygon = np.array(item["polygon"])
            assert polygon.dtype.kind == "i"
            assert len(polygon) >= 3
            assert (polygon >= 0).all()
            assert (polygon < SIZE).all()


def test_label_ids_equal_those_of_cityscapesscripts(root):
    for path in root.rglob("*_polygons.json"):
        annotation = Annotation()
        annotation.fromJsonFile(str(path))
        official = np.array(createLabelImage(annotation, "ids"))
        written = np.array(Image.open(str(path).replace("_polygons.json", "_labelIds.png")))
        np.testing.assert_array_equal(written, official)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_with_any_number_of_processes(root, tmp_path):
    list(toycity.write_all(toycity.plan_cityscapes(tmp_path, COUNTS, SIZE, seed=0), 2))
    assert tree(tmp_path) == tree(root)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_in_a_new_program(root, tmp_path):
    counts = [word for name, count in COUNTS.items() for word in (f"--{name}", str(count))]
    command = [sys.executable, str(REPO / "tools/dataset.py"), "toycity", str(tmp_path / "city"), *counts]
    command += ["--size", "x".join(map(str, SIZE)), "--nproc", "3"]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2"}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    assert tree(tmp_path / "city") == tree(root)


def test_another_seed_gives_other_pictures(root, tmp_path):
    list(toycity.write_all(toycity.plan_cityscapes(tmp_path, {"train": 1}, SIZE, seed=1), 1))
    (image_path,) = tmp_path.rglob("*_leftImg8bit.png")
    assert image_path.read_bytes() != (root / image_path.relative_to(tmp_path)).read_bytes()


def test_the_size_of_one_split_does_not_change_another():
    few = toycity.plan_cityscapes(Path("r"), {"train": 1, "val": 3, "test": 0}, SIZE, seed=0)
    many = toycity.plan_cityscapes(Path("r"), {"train": 9, "val": 3, "test": 5}, SIZE, seed=0)
    assert [picture for picture in few if picture not in many] == []


@pytest.mark.slow
def test_writing_again_after_a_kill_gives_the_same_tree(root, tmp_path):
    pictures = toycity.plan_cityscapes(tmp_path, COUNTS, SIZE, seed=0)
    list(toycity.write_all(pictures[:3], 1))
    half = pictures[1].image_path
    half.with_name(f".{half.name}.part").write_bytes(b"half a pict")
    half.unlink()
    list(toycity.write_all(pictures, 1))
    assert tree(tmp_path) == tree(root)


@pytest.mark.slow
def test_rosario_is_photographs_and_a_labelled_set_beside_them(tmp_path):
    list(toycity.write_all(toycity.plan_rosario(tmp_path / "rosario", 6, 2, seed=0), 2))
    photos = sorted((tmp_path / "rosario").rglob("*.*"))
    assert [path.suffix for path in photos] == [".jpg"] * 6
    assert {path.parent.name for path in photos} == {"pellegrini", "bulevar_orono", "costanera"}
    sizes = [Image.open(path).size for path in photos]
    assert len(set(sizes)) > 3
    assert any(height > width for width, height in sizes)
    labelled = tmp_path / "rosario_labelled"
    assert sorted(tree(labelled)) == [
        "annotation/ros_0001_mask.png",
        "annotation/ros_0002_mask.png",
        "photos/ros_0001.jpg",
        "photos/ros_0002.jpg",
    ]
    for path in (labelled / "annotation").iterdir():
        mask = Image.open(path)
        assert mask.mode == "L"
        assert mask.size == Image.open(labelled / "photos" / f"{path.stem.removesuffix('_mask')}.jpg").size
        assert set(np.unique(mask)) <= {*range(19), 255}


@pytest.mark.parametrize(
    ("counts", "size", "seed", "message"),
    [
        ({"train": -1}, SIZE, 0, r"`train` -1: .* 0 or more"),
        ({"train": 0, "val": 0}, SIZE, 0, r"`train`, `val` are all 0"),
        ({"train": 1}, (64, 64), 0, r"`size` 64x64: .* 128x64 or larger"),
        ({"train": 1}, SIZE, -3, r"`seed` -3: .* 0 or more"),
    ],
)
def test_a_plan_that_cannot_be_drawn_is_refused(counts, size, seed, message):
    with raises("E-input-range", message):
        toycity.plan_cityscapes(Path("r"), counts, size, seed)


def test_no_process_is_too_few(tmp_path):
    pictures = toycity.plan_rosario(tmp_path / "r", 1, 0, seed=0)
    with raises("E-input-range", "`nproc` 0"):
        list(toycity.write_all(pictures, 0))
    assert not (tmp_path / "r").exists()


def test_the_labelled_set_is_described_by_a_dataset_yaml(tmp_path):
    (tmp_path / "rosario_labelled").mkdir()
    described = read_dataset_file(toycity.describe_labelled(tmp_path / "rosario"))
    assert described.root == tmp_path / "rosario_labelled"
    assert described.classes == CITYSCAPES.classes
    assert (described.encoding, list(described.splits)) == ("ids", ["test"])
