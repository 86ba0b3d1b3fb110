"""Class lists in the forms that people have them, and labels that are not in them."""

from collections import Counter

import pytest

from semseg.datasets.importers.class_lists import assign_train_ids, discover_classes, parse_map, read_classes
from semseg.labels import CITYSCAPES, IGNORED
from tests.conftest import raises


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
    ("name", "text", "code", "values"),
    [
        ("a.txt", "", "E-data-classes", r"a\.txt: "),
        ("a.txt", "road\nroad", "E-data-classes", r"a\.txt: class 'road' is listed twice"),
        ("a.txt", "a #000000\nb 0 0 0", "E-data-classes", r"a\.txt: 'a' and 'b' .* #000000"),
        ("a.txt", "a 300 0 0", "E-data-color", r"a\.txt: 'a 300 0 0': \[300, 0, 0\] "),
        ("a.yaml", "- no", "E-data-classes", r"a\.yaml: False "),
        ("a.yaml", "- {name: a, color: red}", "E-data-color", r"a\.yaml: class 'a': 'red' "),
        ("a.yaml", "5", "E-data-classes", r"a\.yaml: "),
        ("a.yaml", "[", "E-data-classes", r"a\.yaml is not YAML: "),
        ("a.txt", "\n".join(map(str, range(1000, 1255))), "E-data-classes", r"a\.txt: 255 classes; .*254"),
    ],
)
def test_files_that_are_not_class_lists_are_named(tmp_path, name, text, code, values):
    with raises(code, values):
        read_classes(write(tmp_path, text, name))


def test_no_file_is_named():
    with raises("E-data-missing", r"nowhere\.txt"):
        read_classes("nowhere.txt")


def test_unknown_labels_are_errors_with_counts_and_the_nearest_class(tmp_path):
    classes = read_classes(write(tmp_path, "car\ntraffic light"))
    counts = Counter({"cra": 12, "Traffic Light": 3, "zebra": 1, "car": 5})
    values = (
        rf"3 labels .*{tmp_path}/classes\.txt: 'cra' \(12 shapes, nearest 'car'\), 'Traffic Light' \(3 shapes, nearest"
        r" 'traffic light'\), 'zebra' \(1 shape\); .*`label_map` cra=car$"
    )
    with raises("E-data-labels", values):
        assign_train_ids(counts, classes, {})
    many = Counter(dict.fromkeys("12345678", 1))
    with raises("E-data-labels", r"8 labels .*'5' \(1 shape\) and 3 more; "):
        assign_train_ids(many, classes, {})
    label_map = parse_map(["cra=car", "Traffic Light=traffic light", "zebra=ignore"])
    train_ids = assign_train_ids(counts, classes, label_map)
    assert train_ids == {"cra": 0, "Traffic Light": 1, "zebra": IGNORED, "car": 0}
    assert parse_map(["zebra=__ignore__"]) == {"zebra": "ignore"}


def test_maps_to_unknown_classes_are_errors(tmp_path):
    classes = read_classes(write(tmp_path, "car\nroad"))
    with raises("E-input-value", r"`label_map` x=caar: .*'caar' in .*classes\.txt; did you mean 'car'\?"):
        assign_train_ids(Counter(), classes, {"x": "caar"})
    with raises("E-input-value", r"`label_map`: .*'car'"):
        parse_map(["car"])
    with raises("E-input-value", r"`label_map` .*'a' twice"):
        parse_map(["a=b", "a=c"])
