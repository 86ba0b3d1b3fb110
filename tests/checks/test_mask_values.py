"""Masks whose values, kind or classes are wrong, each reported by name."""

import numpy as np
import pytest
from PIL import Image

from semseg import labels
from semseg.checks.dataset import check_dataset_file
from tests.checks.sets import CLASSES, SIZE, check_set, mask_of, train_ids, write_set

LABEL_IDS = [label.label_id for label in labels.CITYSCAPES.labels if label.label_id >= 0]


def test_label_ids_where_train_ids_belong_name_the_converter(here):
    path = write_set(here, {"train": 3}, classes="cityscapes")
    Image.fromarray(np.resize(np.array(LABEL_IDS, np.uint8), (32, 48))).save(mask_of(path, 1))
    assert check_set(path) == {
        "mask-values": "error train: 1 of 3 masks hold values outside 0..18 and 255, worst"
        " x/masks/train/01.png"
        " {19: 45 px, 20: 45 px, 21: 45 px, 22: 45 px, and 11 more}; these look like Cityscapes label ids"
        " where train ids"
        " belong: run python tools/convert_datasets/cityscapes.py ROOT"
    }


def test_other_strange_values_name_label_map_and_the_worst_mask(here):
    path = write_set(here)
    for number, count in ((0, 2), (2, 7)):
        values = train_ids()
        values[1, :count] = 77
        Image.fromarray(values).save(mask_of(path, number))
    assert check_set(path) == {
        "mask-values": "error train: 2 of 4 masks hold values outside 0..2 and 255, worst"
        " x/masks/train/02.png {77: 7 px};"
        " name them in label_map in x/dataset.yaml, as a class or as ignore"
    }


def test_a_class_that_is_reached_by_the_label_map_and_by_its_position_is_an_error(here):
    path = write_set(here, {"train": 2}, classes=["road", "car"], label_map={3: "road", 8: "car"})
    for number in range(2):  # 0 sky, 3 road, 8 car
        Image.fromarray(np.array([0, 3, 8], np.uint8)[train_ids(number) % 3]).save(mask_of(path, number))
    (line,) = check_set(path).values()
    assert line.startswith("error train: all 2 masks hold values that nothing names, worst x/masks/train/")
    assert line.endswith(
        "label_map gives 3 to road, so 0, the position of road in classes, does not mean road any more; add 0 to"
        " label_map, as road, another class or ignore"
    )
    path.write_text(path.read_text().replace("label_map:", "label_map:\n  0: ignore"))
    assert check_set(path) == {}


def test_binary_masks_whose_object_would_be_ignored(here):
    path = write_set(here, {"train": 2}, classes=["background", "crack"])
    for number in range(2):
        Image.fromarray((train_ids(number) % 2 * 255).astype(np.uint8)).save(mask_of(path, number))
    assert check_set(path) == {
        "binary-masks": "error train: all 2 masks hold only 0 and 255, and 255 is ignored: the object would"
        " never be"
        " learnt; set label_map: {255: crack} in x/dataset.yaml"
    }
    path.write_text(path.read_text() + "label_map: {255: crack}\n")
    assert check_set(path) == {}


def test_colours_that_are_not_in_the_list(here):
    classes = [{"name": "road", "color": [128, 64, 128]}, {"name": "grass", "color": [0, 255, 0]}]
    path = write_set(here, {"train": 1}, encoding="rgb", classes=classes)
    colors = np.array([(128, 64, 128), (0, 255, 0)], np.uint8)[train_ids(0, num_classes=2) % 2]
    Image.fromarray(colors).save(mask_of(path))
    assert check_set(path) == {}
    colors[0, 0] = (1, 2, 3)
    Image.fromarray(colors).save(mask_of(path))
    assert check_set(path) == {
        "mask-values": "error train: 1 of 1 masks hold colours that are not in the list, worst"
        " x/masks/train/00.png"
        " {#010203: 1 px}; add them to classes or label_map in x/dataset.yaml"
    }
    colors[:, ::2] = np.random.default_rng(0).integers(0, 255, colors[:, ::2].shape)
    Image.fromarray(colors).save(mask_of(path))
    assert check_set(path)["mask-values"].endswith("edges look smoothed: set snap: 40 in x/dataset.yaml")


def test_colours_that_snap_are_counted(here):
    classes = [{"name": "road", "color": [128, 64, 128]}, {"name": "grass", "color": [0, 255, 0]}]
    path = write_set(here, {"train": 2}, encoding="rgb", classes=classes, snap=10)
    for number, count in ((0, 3), (1, 0)):
        colors = np.array([(128, 64, 128), (0, 255, 0)], np.uint8)[train_ids(number, num_classes=2) % 2]
        colors[1, :count] = (3, 250, 2)
        Image.fromarray(colors).save(mask_of(path, number))
    assert check_set(path) == {
        "snapped": "note train: 1 of 2 masks hold colours that became the nearest in the list (snap: 10), most in"
        " x/masks/train/00.png (3 px)"
    }


EXPECTED = "an index image is expected, first x/masks/train/00.png"
IMPORT = "python tools/dataset.py import colors x/masks/train --images x/images/train --classes FILE"


def as_kind(kind, values):
    gray = Image.fromarray(values)
    if kind == "I;16":
        return Image.fromarray(values.astype(np.uint16) * 1000)
    return gray.convert(kind)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("RGB", f"are RGB where {EXPECTED} (RGB, 4 colours); run {IMPORT} --split train --out DIR"),
        ("RGBA", f"are RGBA where {EXPECTED} (RGBA, 4 colours); run {IMPORT} --split train --out DIR"),
        ("LA", f"are grey with alpha where {EXPECTED} (LA, 4 colours); run {IMPORT} --split train --out DIR"),
        (
            "I;16",
            f"are 16-bit where {EXPECTED} (values 0 to 60000); renumber them to 0..2 and 255, and save them"
            " with 8 bits",
        ),
    ],
)
def test_other_kinds_of_picture_name_the_import(here, kind, sentence):
    path = write_set(here)
    values = train_ids()
    if kind == "I;16":
        values = np.minimum(values, 60)
    as_kind(kind, values).save(mask_of(path))
    assert check_set(path) == {"mask-kind": f"error train: 1 of 4 masks {sentence}"}


def test_jpeg_masks_name_png_and_the_import(here):
    path = write_set(here, {"train": 2}, mask_suffix=".jpg")
    for number in range(2):
        mask = mask_of(path, number)
        Image.open(mask).save(mask.with_suffix(".jpg"))
        mask.unlink()
    line = check_set(path)["mask-kind"]
    assert line.startswith(
        "error train: all 2 masks are JPEG, which changes labels near edges, where an index image is"
    )
    assert line.endswith(f"; export PNG, or run {IMPORT} --mask-suffix .jpg --snap 40 --split train --out DIR")


def test_a_palette_is_an_index_image_and_16_bit_with_small_values_too(here):
    path = write_set(here)
    palette = Image.fromarray(train_ids())
    palette.putpalette(bytes(range(256)) * 3)
    palette.save(mask_of(path, 0))
    Image.fromarray(train_ids().astype(np.uint16)).save(mask_of(path, 1))
    assert check_set(path) == {}


def test_classes_without_a_pixel(here):
    path = write_set(here, classes=[*CLASSES, "rider", "truck"])
    report = check_dataset_file(path)
    assert [finding.line() for finding in report.findings] == [
        "train: no pixel of rider, truck in 4 masks: nothing to learn from",
        "val: no pixel of rider, truck in 2 masks: nothing to measure",
    ]
    assert {finding.kind for finding in report.findings} == {"warning"}


def fill(path, split, count, value):
    for number in range(count):
        values = np.full((32, 48), value, np.uint8)
        values[0, :9] = 255
        Image.fromarray(values).save(mask_of(path, number, split))


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_set_whose_pixels_are_all_ignored_is_an_error(here, split):
    path = write_set(here)
    fill(path, split, {"train": 4, "val": 2}[split], 255)
    (line,) = check_set(path).values()
    purpose = "learn from" if split == "train" else "measure"
    assert line.startswith(f"error {split}: all pixels of {4 if split == 'train' else 2} masks are ignored (255)")
    assert f"nothing to {purpose}; look at the masks, and at label_map" in line


def test_a_training_set_of_one_class_is_an_error_and_a_validation_set_of_one_class_is_not(here):
    path = write_set(here)
    fill(path, "train", 4, 1)
    (line,) = check_set(path).values()
    assert line == (
        "error train: all labelled pixels of 4 masks are grass, so there is nothing to learn: a model that always says"
        " so is right; look at the masks, and at label_map"
    )
    path = write_set(here)
    fill(path, "val", 2, 1)
    assert {line.split()[0] for line in check_set(path).values()} == {"warning"}


def test_the_only_class_of_a_set_leaves_nothing_to_learn(here):
    path = write_set(here, {"train": 2}, classes=["crack"])
    fill(path, "train", 2, 0)
    (line,) = check_set(path).values()  # either 255 means the crack, or the rest
    assert line.endswith("set classes: [background, crack] and label_map: {255: crack} in x/dataset.yaml")
    path.write_text(path.read_text() + "label_map: {255: ignore}\n")
    (line,) = check_set(path).values()
    assert line.endswith("add a class for the rest, such as background, in place of ignore (255)")


def test_a_set_that_is_mostly_ignored_and_of_one_class(here):
    path = write_set(here, {"train": 1})
    values = np.full((32, 48), 255, np.uint8)
    values[:8] = 1
    values[0, 0], values[0, 1] = 0, 2
    Image.fromarray(values).save(mask_of(path))
    assert check_set(path) == {
        "mostly-ignored": "warning train: 75.0 % of the pixels are ignored (255); is that meant?",
        "one-class": "warning train: 99.5 % of the labelled pixels are grass: a model that always says so"
        " looks good; read"
        " the IoU of the other classes",
    }


@pytest.mark.parametrize(("stray", "kind"), [(7, "error"), (1, "warning")])
def test_a_stray_value_does_not_hide_that_masks_are_binary(here, stray, kind):
    path = write_set(here, {"train": 2}, classes=["background", "crack"])
    for number in range(2):
        values = np.zeros(SIZE[::-1], np.uint8)
        values[8:24, 8:40] = 255
        values[0, 0] = stray
        Image.fromarray(values).save(mask_of(path, number))
    line = check_set(path)["binary-masks"]
    assert line.startswith(
        f"{kind} train: all 2 masks hold only 0 and 255, beside {{{stray}: 2 px}}, and 255 is ignored"
    )
    assert "set label_map: {255: crack} in x/dataset.yaml" in line
