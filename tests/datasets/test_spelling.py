"""Classes that differ in nothing but their spelling."""

import pytest

from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.importers.class_lists import discover_classes, read_classes
from semseg.datasets.spelling import list_names, spellings_of_one
from semseg.labels import CITYSCAPES
from tests.conftest import raises


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["road", "Car", "car", "car "], ["Car", "car", "car "]),
        (["traffic light", "traffic_light", "Traffic-Light"], ["traffic light", "traffic_light", "Traffic-Light"]),
        (["straße", "STRASSE"], ["straße", "STRASSE"]),
        (["car", "cars", "car2", "c ar"], []),
        (["a-1", "a1", "1-2", "12"], []),
        (CITYSCAPES.classes, []),
    ],
)
def test_capitals_spaces_and_hyphens_make_no_class(names, expected):
    assert spellings_of_one(names) == expected


def test_names_are_listed_with_quotes_that_show_spaces():
    assert list_names(["Car", "car", "car "]) == "'Car', 'car' and 'car '"


@pytest.mark.parametrize(
    ("classes", "values"),
    [
        ("[road, Car, car]", "classes: 'Car' and 'car' differ .* learnt as 2"),
        ("[road, 'car ']", "classes: 'car ' .*'car'$"),
    ],
)
def test_a_dataset_file_refuses_them(tmp_path, classes, values):
    path = tmp_path / "dataset.yaml"
    path.write_text(f"splits: {{train: {{pairs: x.csv}}}}\nencoding: ids\nclasses: {classes}\n")
    with raises("E-data-yaml", values):
        read_dataset_file(path)


def test_an_import_names_them_with_their_shapes_and_the_map_that_makes_them_one():
    counts = {"Car": 10, "car": 20, "car ": 1, "road": 5}
    values = r"'Car', 'car' and 'car ' \(10, 20, 1 shapes\) .* learnt as 3; .*`label_map` Car=car 'car =car', "
    with raises("E-data-labels", values):
        discover_classes(counts, {})
    assert discover_classes(counts, {"Car": "car", "car ": "car"}).names == ("car", "road")
    with raises("E-data-labels", "'car ' .*`label_map` 'car =car'"):
        discover_classes({"car ": 1}, {})


def test_a_class_list_refuses_them(tmp_path):
    (tmp_path / "classes.txt").write_text("Car\nroad\ncar\n")
    with raises("E-data-classes", r"classes\.txt: classes 'Car' and 'car' differ"):
        read_classes(str(tmp_path / "classes.txt"))
