import re
from pathlib import Path

import pytest
import yaml

from semseg import labels
from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.dataset_keys import Split, hex_color, parse_color
from tests.conftest import raises

WHOLE = """
root: .
splits:
  train: {images: photos/train, masks: annotation/train}
  test: {pairs: test_pairs.csv}
image_suffix: [.jpg, .JPG]
mask_suffix: _mask.png
encoding: rgb
classes:
  - {name: road, color: [128, 64, 128]}
  - {name: sidewalk, color: "#f423e8"}
label_map: {"#ffffff": ignore, 7: road}
exif: ignore
snap: 40
"""
SHORT = {
    "splits": {"train": {"images": "a", "masks": "b"}},
    "encoding": "rgb",
    "classes": [{"name": "road", "color": [128, 64, 128]}, {"name": "grass", "color": [0, 255, 0]}],
}


def read(folder, text):
    (folder / "dataset.yaml").write_text(text)
    return read_dataset_file(folder / "dataset.yaml")


def test_all_keys_of_a_file_are_read(tmp_path):
    rules = read(tmp_path, WHOLE)
    assert rules.root == tmp_path
    assert rules.splits.keys() == {"train", "test"}
    assert rules.splits["train"] == Split(images=Path("photos/train"), masks=Path("annotation/train"))
    assert rules.splits["test"] == Split(pairs=Path("test_pairs.csv"))
    assert (rules.image_suffix, rules.mask_suffix) == ((".jpg", ".JPG"), ("_mask.png",))
    assert (rules.encoding, rules.exif, rules.snap) == ("rgb", "ignore", 40)
    assert (rules.classes, rules.palette) == (("road", "sidewalk"), ((128, 64, 128), (244, 35, 232)))
    assert rules.label_map == {(255, 255, 255): labels.IGNORED, (7, 7, 7): 0}  # in rgb a number is a grey


def test_optional_keys_have_defaults(tmp_path):
    rules = read(tmp_path, yaml.safe_dump(SHORT))
    assert (rules.root, rules.exif, rules.snap, rules.label_map) == (tmp_path, "apply", None, {})
    assert ".jpg" in rules.image_suffix
    assert rules.mask_suffix == (".png",)


def test_cityscapes_is_short_for_its_classes(tmp_path):
    rules = read(tmp_path, yaml.safe_dump(SHORT | {"classes": "cityscapes"}))
    assert rules.classes == labels.CITYSCAPES.classes
    assert [list(color) for color in rules.palette] == labels.CITYSCAPES.palette


def test_classes_of_ids_need_no_colour(tmp_path):
    classes = ["road", {"name": "grass"}]
    rules = read(tmp_path, yaml.safe_dump(SHORT | {"encoding": "ids", "classes": classes}))
    assert rules.classes == ("road", "grass")
    assert rules.palette == ((128, 0, 0), (0, 128, 0))  # the first colours of PASCAL VOC
    assert len({*labels.distinct_colors(255)} - {(0, 0, 0)}) == 255


def test_the_root_is_relative_to_the_file(tmp_path):
    (tmp_path / "configs").mkdir()
    above = yaml.safe_dump(SHORT | {"root": "../data/x"})
    assert read(tmp_path / "configs", above).root == tmp_path / "data/x"
    assert str(read(tmp_path, yaml.safe_dump(SHORT | {"root": "/data/x"})).root) == "/data/x"


def test_a_root_behind_a_link_is_where_the_link_leads(tmp_path):
    (tmp_path / "disk/here").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "disk/here")
    root = read(tmp_path / "link", yaml.safe_dump(SHORT | {"root": "../photos"})).root
    assert root.resolve() == (tmp_path / "disk/photos").resolve()


def test_colours_are_read_and_written():
    assert parse_color("#80FF00") == parse_color([128, 255, 0]) == (128, 255, 0)
    assert hex_color((128, 255, 0)) == "#80ff00"


@pytest.mark.parametrize(
    ("change", "values"),
    [
        ({"clases": []}, "'clases'; did you mean 'classes'?"),
        ({"foo": 1}, "'foo'; expected splits, encoding, classes, root"),
        ({"encoding": None}, "encoding missing"),
        ({"encoding": "RGB"}, "encoding: 'RGB'; expected ids, palette, rgb"),
        ({"encoding": "pallete"}, "expected ids, palette, rgb; did you mean 'palette'?"),
        ({"exif": "yes"}, "exif: 'yes'; expected apply, ignore"),
        ({"splits": {}}, "splits: "),
        ({"splits": {"trian": {}}}, "'trian'; did you mean 'train'?"),
        ({"splits": {"night": {}}}, "'night'; expected train, val, test"),
        ({"splits": {"val": "x"}}, "splits.val: "),
        ({"splits": {"val": {"images": "x"}}}, "splits.val: "),
        ({"splits": {"val": {"images": "x", "mask": "y"}}}, "splits.val: 'mask'; did you mean 'masks'?"),
        ({"splits": {"val": {"images": "x", "masks": 3}}}, "splits.val: "),
        ({"image_suffix": "jpg"}, "image_suffix: 'jpg' has no dot; did you mean '.jpg'?"),
        ({"mask_suffix": [3]}, "mask_suffix: [3]: "),
        ({"classes": "ade20k"}, "classes: "),
        ({"classes": [3]}, "classes: 3: "),
        ({"classes": [{"nmae": "a"}]}, "class 0: 'nmae'; did you mean 'name'?"),
        ({"classes": [{"name": False, "color": [0, 0, 0]}]}, "classes: False "),
        ({"classes": [{"name": "ignore", "color": [0, 0, 0]}]}, "classes: 'ignore' "),
        ({"classes": [{"name": "a"}]}, "'a' has no color; encoding rgb"),
        (
            {"classes": [{"name": "a", "color": [1, 2, 3]}, {"name": "a", "color": [1, 2, 4]}]},
            "classes: 'a' is listed twice",
        ),
        (
            {"classes": [{"name": "a", "color": [1, 2, 3]}, {"name": "b", "color": "#010203"}]},
            "classes: 'a' and 'b' have the same color, #010203",
        ),
        ({"encoding": "ids", "classes": [f"c{i}" for i in range(255)]}, "classes: 255 of them"),
        ({"label_map": [1]}, "label_map: "),
        ({"label_map": {"#ffffff": "raod"}}, "label_map: '#ffffff' becomes 'raod', "),
        ({"label_map": {"#FFFFFF": "road", "#ffffff": "ignore"}}, "label_map: '#ffffff' is listed twice"),
        ({"encoding": "ids", "label_map": {"#ffffff": "road"}}, "label_map: '#ffffff' is not a value; encoding ids"),
        ({"encoding": "ids", "label_map": {256: "road"}}, "label_map: 256 is not a value; encoding ids"),
        ({"snap": 0}, "snap: 0: expected a distance between colours, above 0, up to 442"),
        ({"snap": True}, "snap: True: "),
        ({"encoding": "ids", "snap": 3}, "snap has no effect with encoding ids"),
    ],
)
def test_a_mistake_is_named_with_the_way_out(tmp_path, change, values):
    with raises("E-data-yaml", re.escape(values)) as caught:
        read(tmp_path, yaml.safe_dump(SHORT | change))
    assert str(caught.value).startswith(f"{tmp_path / 'dataset.yaml'}: ")


@pytest.mark.parametrize(
    ("change", "values"),
    [
        ({"classes": [{"name": "a", "color": [0, 0, 256]}]}, "classes: 'a': [0, 0, 256] "),
        ({"classes": [{"name": "a", "color": 804080}]}, "classes: 'a': 804080 "),
        ({"label_map": {"white": "road"}}, "label_map: 'white' "),
        ({"label_map": {300: "road"}}, "label_map: 300 "),
    ],
)
def test_a_wrong_colour_is_named(tmp_path, change, values):
    with raises("E-data-color", re.escape(f"{tmp_path / 'dataset.yaml'}: {values}")):
        read(tmp_path, yaml.safe_dump(SHORT | change))


def test_wrong_bits_are_named(tmp_path):
    with raises("E-data-bits", r"dataset\.yaml: bits 7: "):
        read(tmp_path, yaml.safe_dump(SHORT | {"bits": 7}))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("splits: [\n", "dataset.yaml line 2 "),
        ("", "dataset.yaml: expected the keys splits, encoding, classes, found NoneType"),
        ("- a\n", "dataset.yaml: expected the keys splits, encoding, classes, found list"),
        ("root: .\n", "dataset.yaml: splits and encoding and classes missing"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, text, values):
    with raises("E-data-yaml", re.escape(values)):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    with raises("E-data-missing", r"nothing\.yaml$"):
        read_dataset_file(tmp_path / "nothing.yaml")
    with raises("E-data-missing", r"dataset\.yaml$"):
        read_dataset_file(tmp_path)


def test_a_folder_stands_for_the_file_in_it(tmp_path):
    rules = read(tmp_path, WHOLE)
    assert read_dataset_file(tmp_path) == rules
    assert read_dataset_file(str(tmp_path)).path == tmp_path / "dataset.yaml"
