"""Masks that go out to every labelling tool and come back, and what is refused."""

import json
import re

import cv2
import numpy as np
import pytest
from PIL import Image

from semseg.datasets import importers
from semseg.datasets.exporters import FORMATS, Request, plan
from semseg.datasets.index_png import write_index_png
from tests.conftest import raises

pytest.importorskip("pycocotools.mask")
CLASSES = ("road", 'car & "van"', "sky")
COLORS = [(128, 64, 128), (0, 0, 142), (70, 130, 180)]
SOURCES = {
    "label-studio": "tasks.json",
    "coco": "annotations/instances_default.json",
    "cvat-mask": "",
    "cvat-polygon": "",
}


def draw_mask(generator, height, width):
    """Draw blobs with holes, one-pixel lines and dots, touching corners, and pixels without a label."""
    noise = generator.random((height, width)).astype(np.float32)
    train_ids = np.digitize(cv2.GaussianBlur(noise, (0, 0), 1.5), [0.42, 0.5, 0.58]).astype(np.uint8)
    train_ids[train_ids == 3] = 255
    train_ids[height // 2] = 1
    train_ids[np.arange(min(height, width)), np.arange(min(height, width))] = 2
    train_ids[generator.integers(height, size=20), generator.integers(width, size=20)] = 0
    return train_ids


def write_set(root, masks):
    """Write masks by name as index PNGs, an image for each, and the classes."""
    for name, train_ids in masks.items():
        write_index_png(root / f"pred/{name}.png", train_ids, COLORS)
        image_path = root / f"photos/{name}.jpg"
        image_path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", train_ids.shape[::-1], "gray").save(image_path)
    rows = [{"name": name, "color": list(color)} for name, color in zip(CLASSES, COLORS, strict=True)]
    (root / "classes.yaml").write_text(json.dumps(rows))


def request(root, format_name, **more):
    options = {
        "format": format_name,
        "source": root / "pred",
        "out_dir": root / "out",
        "images_dir": root / "photos",
        "classes": str(root / "classes.yaml"),
    }
    return Request(**options | more)


def come_back(root, format_name, images_dir, **more):
    """Import a package and return the masks by name."""
    source = root / "out" / SOURCES.get(format_name, "annotations")
    importers.plan(
        importers.Request(
            format=FORMATS[format_name][2],
            source=source,
            out_dir=root / "back",
            images_dir=images_dir,
            classes=str(root / "out/classes.yaml"),
            **more,
        )
    ).write()
    folder = root / "back/train_ids/train"
    return {str(path.relative_to(folder))[:-4]: np.asarray(Image.open(path)) for path in folder.rglob("*.png")}


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_returns_the_same_pixels(tmp_path, format_name):
    generator = np.random.default_rng(0)
    masks = {
        "a/1": draw_mask(generator, 40, 56),
        "a/b c/1": draw_mask(generator, 33, 17),
        "dot": np.where(np.arange(35).reshape(5, 7) == 17, 1, 255).astype(np.uint8),
        "full": np.full((4, 6), 2, np.uint8),
        "one-pixel": np.zeros((1, 1), np.uint8),
    }
    write_set(tmp_path, masks)
    written = plan(request(tmp_path, format_name)).write()
    assert written.num_empty == 0
    has_paths = FORMATS[format_name][2] == "labelme"
    returned = come_back(tmp_path, format_name, None if has_paths else tmp_path / "photos")
    assert returned.keys() == masks.keys()
    for name, train_ids in masks.items():
        assert np.array_equal(returned[name], train_ids), name


@pytest.mark.parametrize("format_name", ["label-studio", "coco", "cvat-mask", "labelme-mask"])
def test_a_package_with_copied_images_needs_no_other_folder(tmp_path, format_name):
    masks = {"a/1": draw_mask(np.random.default_rng(1), 20, 30)}
    write_set(tmp_path, masks)
    plan(request(tmp_path, format_name, copy=True)).write()
    assert (tmp_path / "out/images/a/1.jpg").read_bytes() == (tmp_path / "photos/a/1.jpg").read_bytes()
    (tmp_path / "photos").rename(tmp_path / "gone")
    if format_name == "labelme-mask":
        assert (tmp_path / "out/images/a/1.json").is_file()
        (tmp_path / "out/annotations").symlink_to("images")
    assert np.array_equal(come_back(tmp_path, format_name, None)["a/1"], masks["a/1"])


def test_an_image_without_a_labelled_pixel_is_exported_without_a_shape(tmp_path):
    write_set(tmp_path, {"empty": np.full((4, 6), 255, np.uint8), "full": np.zeros((4, 6), np.uint8)})
    written = plan(request(tmp_path, "coco")).write()
    assert (written.num_regions, written.num_empty, written.labelled_share) == (1, 1, 0.5)
    content = json.loads((tmp_path / "out/annotations/instances_default.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["empty.jpg", "full.jpg"]


def test_a_split_of_a_dataset_yaml_is_exported_by_its_own_rules(tmp_path):
    write_set(tmp_path, {"1": np.array([[0, 7, 255]], np.uint8)})
    (tmp_path / "dataset.yaml").write_text(
        "splits: {val: {images: photos, masks: pred}}\nencoding: ids\nclasses: [a, b]\nlabel_map: {7: b}\n"
    )
    source = {"source": tmp_path / "dataset.yaml", "images_dir": None, "classes": None}
    with raises("E-data-split", "no split 'train'"):
        plan(request(tmp_path, "coco", **source))
    with raises("E-input-no-effect", "`classes`"):
        plan(request(tmp_path, "coco", **source | {"classes": "cityscapes"}, split="val"))
    package = plan(request(tmp_path, "coco", **source, split="val"))
    package.write()
    content = json.loads((tmp_path / "out/annotations/instances_default.json").read_text())
    assert [(one["category_id"], one["bbox"]) for one in content["annotations"]] == [
        (1, [0, 0, 1, 1]),
        (2, [1, 0, 1, 1]),
    ]


def test_several_processes_write_the_same_files(tmp_path):
    generator = np.random.default_rng(2)
    write_set(tmp_path, {f"{i}": draw_mask(generator, 12, 16) for i in range(3)})
    for num_processes in (1, 2):
        out_dir = tmp_path / f"out{num_processes}"
        plan(request(tmp_path, "label-studio", out_dir=out_dir, num_processes=num_processes)).write()
    assert (tmp_path / "out1/tasks.json").read_bytes() == (tmp_path / "out2/tasks.json").read_bytes()


@pytest.mark.parametrize(
    ("change", "code", "match"),
    [
        (
            lambda root: (root / "photos/1.jpg").rename(root / "photos/2.jpg"),
            "E-data-pairs",
            "1 of 1 masks have no image",
        ),
        (
            lambda root: Image.new("RGB", (9, 4)).save(root / "photos/1.jpg"),
            "E-data-images",
            "9x4 pixels, its mask 6x4",
        ),
        (lambda root: (root / "photos/1.jpg").write_text("x"), "E-data-images", "is not a readable image"),
        (lambda root: Image.new("RGB", (6, 4)).save(root / "photos/1.png"), "E-data-pairs", "same name without suffix"),
        (lambda root: (root / "classes.yaml").write_text("[a, a]"), "E-data-classes", "'a' is listed twice"),
        (lambda root: (root / "pred/1.png").unlink(), "E-data-pairs", "no .png in"),
        (lambda root: (root / "out").write_text(""), "E-input-folder", "is a file"),
    ],
)
def test_what_does_not_fit_together_is_refused_before_anything_is_written(tmp_path, change, code, match):
    write_set(tmp_path, {"1": np.zeros((4, 6), np.uint8)})
    change(tmp_path)
    with raises(code, re.escape(match)):
        plan(request(tmp_path, "coco"))
    assert not (tmp_path / "out").is_dir()


@pytest.mark.parametrize(("orientation", "exif"), [(6, "apply"), (6, "ignore"), (3, "ignore")])
def test_a_mask_that_exif_does_not_turn_with_its_image_is_refused(tmp_path, orientation, exif):
    write_set(tmp_path, {"1": np.zeros((4, 6), np.uint8)})
    rules = "splits: {train: {images: photos, masks: pred}}\nencoding: ids\nclasses: [a, b]\nexif: " + exif
    (tmp_path / "dataset.yaml").write_text(rules)
    tags = Image.Exif()
    tags[0x0112] = orientation
    Image.new("RGB", (6, 4)).save(tmp_path / "photos/1.jpg", exif=tags)
    with raises("E-data-images", "EXIF turns it"):
        plan(request(tmp_path, "coco", source=tmp_path / "dataset.yaml", images_dir=None, classes=None))


@pytest.mark.parametrize("format_name", ["label-studio", "coco", "cvat-mask"])
def test_a_value_without_a_class_stops_the_export_and_leaves_no_annotations(tmp_path, format_name):
    write_set(tmp_path, {"1": np.zeros((4, 6), np.uint8), "2": np.full((4, 6), 3, np.uint8)})
    with raises("E-data-mask-values", "2.png"):
        plan(request(tmp_path, format_name)).write()
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == [".unfinished"]


def test_a_folder_with_files_is_not_written_to_because_they_may_be_corrections(tmp_path):
    write_set(tmp_path, {"1": np.zeros((4, 6), np.uint8)})
    plan(request(tmp_path, "labelme-mask")).write()
    with raises("E-input-used", "may hold corrections"):
        plan(request(tmp_path, "labelme-mask"))


def test_an_export_that_was_interrupted_is_repeated_by_the_same_command_and_no_other(tmp_path):
    write_set(tmp_path, {"1": np.zeros((4, 6), np.uint8), "2": np.full((4, 6), 3, np.uint8)})
    with raises("E-data-mask-values", "2.png"):
        plan(request(tmp_path, "labelme-mask")).write()
    assert (tmp_path / "out/annotations/1.json").is_file()
    with raises("E-input-used", "may hold corrections"):
        plan(request(tmp_path, "coco")).write()
    write_set(tmp_path, {"2": np.zeros((4, 6), np.uint8)})
    plan(request(tmp_path, "labelme-mask")).write()
    with raises("E-input-used", "may hold corrections"):
        plan(request(tmp_path, "labelme-mask"))


@pytest.mark.parametrize("name", ["a\x01", "a\udcff"])
def test_names_that_xml_cannot_hold_are_refused(tmp_path, name):
    write_set(tmp_path, {name: np.zeros((4, 6), np.uint8)})
    with raises("E-data-images", "rename the file"):
        plan(request(tmp_path, "cvat-mask"))


def test_missing_options_are_named(tmp_path):
    write_set(tmp_path, {"1": np.zeros((4, 6), np.uint8)})
    with raises("E-input-required", "`classes`"):
        plan(request(tmp_path, "coco", classes=None))
    with raises("E-input-required", "`images_dir`"):
        plan(request(tmp_path, "coco", images_dir=None))
    with raises("E-input-no-effect", "`split`"):
        plan(request(tmp_path, "coco", split="val"))
    with raises("E-input-value", "expected one of label-studio"):
        plan(request(tmp_path, "yolo"))
