import csv
import json

import numpy as np
import pytest

from semseg.evaluation import scores
from semseg.evaluation.confusion import Areas
from semseg.evaluation.results import SCHEMA, read_results
from tests.evaluation.found import CLASSES, evaluation, write

SCORES = {"aAcc", "mIoU", "mAcc", "mPrecision", "mRecall", "mF1", "fwIoU", "category_IoU"}


def walk(value):
    yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(child)


def test_the_schema_of_results_json(tmp_path):
    found = json.loads((write(tmp_path / "r") / "results.json").read_text(), parse_constant=pytest.fail)
    assert found["schema"] == SCHEMA == "semseg.results/1"
    assert {"created", "run", "data", "classes", "palette", "ignore_index", "absent", "scores", "per_class",
            "categories", "confusion", "unassigned", "slices", "extras"} == set(found) - {"schema"}  # fmt: skip
    assert set(found["scores"]) == SCORES
    for score in found["scores"].values():
        assert score.keys() == {"value", "low", "high"}
        assert score["low"] <= score["value"] <= score["high"]
    assert [row["class"] for row in found["per_class"]] == list(CLASSES)
    assert {"class", "IoU", "low", "high", "Acc", "Precision", "Recall", "F1", "truth_pixels", "predicted_pixels",
            "iIoU"} == found["per_class"][0].keys()  # fmt: skip
    assert found["per_class"][2]["Acc"] is None  # no train in the truth
    assert found["absent"] == {"convention": "zero", "num_counted": 3, "classes": ["train"]}
    assert {type(value) for value in walk(found)} <= {dict, list, str, int, float, type(None)}
    assert [row["name"] for row in found["slices"]["folder"]] == ["a", "b"]


def test_the_scores_of_the_file_are_those_of_the_counts(tmp_path):
    found = read_results(write(tmp_path))
    areas = Areas.of(found.confusions.total())
    for name, value in scores.means(areas).items():
        assert found.summary["scores"][name]["value"] == pytest.approx(value)
    assert (found.confusions.total() == evaluation().confusions.total()).all()


def test_a_class_that_is_left_out_is_in_no_mean(tmp_path):
    zero, left_out = (read_results(write(tmp_path / way, absent=way)).summary for way in ("zero", "leave-out"))
    assert left_out["scores"]["mIoU"]["value"] == pytest.approx(zero["scores"]["mIoU"]["value"] * 3 / 2)
    assert left_out["absent"] == {"convention": "leave-out", "num_counted": 2, "classes": ["train"]}


def test_one_image_has_no_interval(tmp_path):
    found = read_results(write(tmp_path, num_images=1)).summary
    assert found["scores"]["mIoU"]["low"] is None
    assert found["scores"]["mIoU"]["value"] > 0


def test_the_table_of_images_has_one_row_each_with_empty_cells_for_nothing(tmp_path):
    write(tmp_path, num_classes=2)
    with (tmp_path / "per_image.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == ["a/0.png", "a/2.png", "a/4.png", "b/1.png", "b/3.png", "b/5.png"]
    assert rows[0]["folder"] == "a"
    assert rows[0]["path"] == "photos/a/0.png"
    assert rows[0]["height"] == "8"
    assert rows[0]["IoU/train"] == ""
    assert float(rows[0]["mIoU"]) == pytest.approx((float(rows[0]["IoU/road"]) + float(rows[0]["IoU/car"])) / 2)


def test_the_confusion_matrix_has_the_truth_in_its_rows(tmp_path):
    write(tmp_path)
    with (tmp_path / "confusion.csv").open(newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["truth \\ predicted", *CLASSES, "(none)"]
    assert [row[0] for row in rows] == list(CLASSES)
    assert np.array([row[1:] for row in rows], int).sum(1).tolist()[2] == 0


def test_what_is_no_folder_of_results_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no results in .*: expected results.json, which tools/test.py writes"):
        read_results(tmp_path)
    (tmp_path / "results.json").write_text('{"mIoU": 3}')
    with pytest.raises(ValueError, match=r"no results that can be read .expected schema semseg.results/1, found None"):
        read_results(tmp_path)
    (tmp_path / "results.json").write_text('{"mIoU"')
    with pytest.raises(ValueError, match=r"holds no results that can be read .*: run tools/test.py again"):
        read_results(tmp_path)


@pytest.mark.parametrize("name", ["per_image.npz", "per_image.csv"])
def test_a_missing_part_is_said(tmp_path, name):
    (write(tmp_path) / name).unlink()
    with pytest.raises(ValueError, match=f"{name}.*: run tools/test.py again"):
        read_results(tmp_path)


def test_parts_of_different_tests_are_found_out(tmp_path):
    write(tmp_path / "one")
    write(tmp_path / "other", seed=1)
    (tmp_path / "other/per_image.npz").replace(tmp_path / "one/per_image.npz")
    with pytest.raises(ValueError, match=r"per_image.npz does not add up to the confusion matrix"):
        read_results(tmp_path / "one")
