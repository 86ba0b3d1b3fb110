"""Class lists in the forms that people have them, and labels that are not in them."""

from collections import Counter
from pathlib import Path

import pytest

from semseg.datasets.importers.class_lists import assign_train_ids, discover_classes, parse_map, read_classes
from semseg.labels import CITYSCAPES, IGNORED


def write(tmp_path, text, name="classes.txt"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "traffic light #804080\n\nroad 0 128 7\nsky\n"),
        ("a.txt", "traffic light 128,64,128\nroad\t0, 128, 7\nsky"),
        ("camvid.txt", "128 64 128\ttraffic light\n0 128 7\t\troad\nsky\n"),
        (
            "labelmap.txt",
            "# label:color_rgb:parts:actions\ntraffic light:128,64,128::\nroad:0,128,7::\nsky\n",
        ),
        ("a.yaml", "[{name: traffic light, color: '#804080'}, {name: road, color: [0, 128, 7]}, sky]"),
        (
            "a.yml",
            "classes: [{name: traffic light, color: [128, 64, 128]}, {name: road, color: '#008007'}, sky]",
        ),
    ],
)
def test_all_forms_of_a_list_say_the_same(tmp_path, name, text):
    classes = read_classes(write(tmp_path, text, name))
    assert classes.names == ("traffic light", "road", "sky")
    assert classes.colors == ((128, 64, 128), (0, 128, 7), (128, 0, 0))


def test_a_dataset_file_and_cityscapes_are_class_lists_too(tmp_path):
    text = "splits: {train: {pairs: x.csv}}\nencoding: ids\nclasses: [road, sky]\n"
    assert read_classes(write(tmp_path, text, "dataset.yaml")).names == ("road", "sky")
    assert read_classes("cityscapes").names == CITYSCAPES.classes


def test_ignore_is_no_class_but_its_colour_is_known(tmp_path):
    classes = read_classes(write(tmp_path, "__ignore__\nroad\nignore #000000\n"))
    assert (classes.names, classes.ignored_colors) == (("road",), ((0, 0, 0),))
    assert classes.train_id("ignore") == classes.train_id("__ignore__") == IGNORED


def test_colours_that_are_given_are_not_given_again(tmp_path):
    colors = read_classes(write(tmp_path, "a\nb #800000\nc")).colors
    assert len(set(colors)) == 3


def test_discovered_classes_are_sorted_and_mapped():
    classes = discover_classes(dict.fromkeys(["van", "road", "void", "car"], 1), {"van": "car", "void": "ignore"})
    assert classes.names == ("car", "road")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "", r"a\.txt: no class in it"),
        ("a.txt", "road\nroad", r"a\.txt: class 'road' is listed twice"),
        ("a.txt", "a #000000\nb 0 0 0", r"a\.txt: 'a' and 'b' have one colour, #000000"),
        ("a.txt", "a 300 0 0", r"a\.txt: 'a 300 0 0': \[300, 0, 0\] is not a colour"),
        ("a.yaml", "- no", r"a\.yaml: False is not a class name; expected a word, in quotes if need be"),
        ("a.yaml", "- {name: a, color: red}", r"a\.yaml: class 'a': 'red' is not a colour"),
        ("a.yaml", "5", r"a\.yaml: expected a list such as - \{name: road"),
        ("a.yaml", "[", r"a\.yaml is not YAML: "),
        (
            "a.txt",
            "\n".join(map(str, range(1000, 1255))),
            r"a\.txt: 255 classes; a mask of bytes has room for 254",
        ),
    ],
)
def test_what_is_no_class_list_is_named(tmp_path, name, text, message):
    with pytest.raises(ValueError, match=message):
        read_classes(write(tmp_path, text, name))


def test_no_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"no file nowhere\.txt with classes; give a YAML or text file, or"):
        read_classes("nowhere.txt")


def test_unknown_labels_are_errors_with_counts_and_the_nearest_class(tmp_path):
    classes = read_classes(write(tmp_path, "car\ntraffic light"))
    counts = Counter({"cra": 12, "Traffic Light": 3, "zebra": 1, "car": 5})
    with pytest.raises(ValueError) as error:
        assign_train_ids(counts, classes, {})
    assert str(error.value) == (
        f"3 labels are not in {Path(tmp_path, 'classes.txt')}: 'cra' (12 shapes, nearest 'car'), "
        "'Traffic Light' (3 shapes, nearest 'traffic light'), 'zebra' (1 shape); "
        "add them there, or give such as --map cra=car"
    )
    label_map = parse_map(["cra=car", "Traffic Light=traffic light", "zebra=ignore"])
    train_ids = assign_train_ids(counts, classes, label_map)
    assert train_ids == {"cra": 0, "Traffic Light": 1, "zebra": IGNORED, "car": 0}


def test_maps_to_nowhere_are_errors(tmp_path):
    classes = read_classes(write(tmp_path, "car\nroad"))
    with pytest.raises(ValueError, match=r"--map x=caar: no class 'caar' in .*classes\.txt; did you mean 'car'\?"):
        assign_train_ids(Counter(), classes, {"x": "caar"})
    with pytest.raises(ValueError, match=r"--map expects label=class, or label=ignore, got 'car'"):
        parse_map(["car"])
    with pytest.raises(ValueError, match=r"--map names 'a' twice"):
        parse_map(["a=b", "a=c"])
