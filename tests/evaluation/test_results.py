import csv
import json

import numpy as np
import pytest

from bench.crash_model import CrashModel
from bench.recording import record
from bench.system_calls import is_supported
from semseg.evaluation import scores
from semseg.evaluation.confusion import Areas
from semseg.evaluation.results import SCHEMA, read_results
from tests.conftest import raises
from tests.evaluation.random_results import CLASSES, evaluation, write

SCORES = {"aAcc", "mIoU", "mAcc", "mPrecision", "mRecall", "mF1", "fwIoU", "category_IoU"}


def walk(value):
    yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(child)


def test_the_schema_of_results_json(tmp_path):
    summary = json.loads((write(tmp_path / "r") / "results.json").read_text(), parse_constant=pytest.fail)
    assert summary["schema"] == SCHEMA == "semseg.results/1"
    assert set(summary) - {"schema"} == {
        "created",
        "run",
        "data",
        "classes",
        "palette",
        "ignore_index",
        "absent",
        "scores",
        "per_class",
        "categories",
        "confusion",
        "unassigned",
        "slices",
        "extras",
    }
    assert set(summary["scores"]) == SCORES
    for score in summary["scores"].values():
        assert score.keys() == {"value", "low", "high"}
        assert score["low"] <= score["value"] <= score["high"]
    assert [row["class"] for row in summary["per_class"]] == list(CLASSES)
    columns = "class IoU low high Acc Precision Recall F1 truth_pixels predicted_pixels iIoU"
    assert set(summary["per_class"][0]) == set(columns.split())
    assert summary["per_class"][2]["Acc"] is None  # no train in the truth
    assert summary["absent"] == {"convention": "zero", "num_counted": 3, "classes": ["train"]}
    assert {type(value) for value in walk(summary)} <= {dict, list, str, int, float, type(None)}
    assert [row["name"] for row in summary["slices"]["folder"]] == ["a", "b"]


def test_the_scores_of_the_file_are_those_of_the_counts(tmp_path):
    results = read_results(write(tmp_path))
    areas = Areas.of(results.confusions.total())
    for name, value in scores.means(areas).items():
        assert results.summary["scores"][name]["value"] == pytest.approx(value)
    assert (results.confusions.total() == evaluation().confusions.total()).all()


def test_a_class_that_is_left_out_is_in_no_mean(tmp_path):
    zero, left_out = (read_results(write(tmp_path / way, absent=way)).summary for way in ("zero", "leave-out"))
    assert left_out["scores"]["mIoU"]["value"] == pytest.approx(zero["scores"]["mIoU"]["value"] * 3 / 2)
    assert left_out["absent"] == {"convention": "leave-out", "num_counted": 2, "classes": ["train"]}


def test_one_image_has_no_interval(tmp_path):
    summary = read_results(write(tmp_path, num_images=1)).summary
    assert summary["scores"]["mIoU"]["low"] is None
    assert summary["scores"]["mIoU"]["value"] > 0


def test_the_table_of_images_has_one_row_each_with_empty_cells_for_undefined_scores(tmp_path):
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


def test_a_folder_without_results_is_refused(tmp_path):
    with raises("E-input-missing", r"results\.json, .*tools/test\.py"):
        read_results(tmp_path)
    (tmp_path / "results.json").write_text('{"mIoU": 3}')
    with raises("E-input-results", r"expected schema semseg\.results/1, found None"):
        read_results(tmp_path)
    (tmp_path / "results.json").write_text('{"mIoU"')
    with raises("E-input-results", r"run tools/test\.py again"):
        read_results(tmp_path)


@pytest.mark.parametrize("name", ["per_image.npz", "per_image.csv"])
def test_a_missing_file_is_named(tmp_path, name):
    (write(tmp_path) / name).unlink()
    with raises("E-input-results", rf"{name}.*: run tools/test\.py again"):
        read_results(tmp_path)


def test_files_of_different_tests_are_refused(tmp_path):
    write(tmp_path / "one")
    write(tmp_path / "other", seed=1)
    (tmp_path / "other/per_image.npz").replace(tmp_path / "one/per_image.npz")
    with raises("E-input-results", r"per_image\.npz .*results\.json"):
        read_results(tmp_path / "one")


@pytest.mark.skipif(not is_supported(), reason="needs seccomp of Linux on x86-64")
def test_after_a_power_cut_results_are_whole_or_not_there(tmp_path):
    (tmp_path / "before").mkdir()
    (tmp_path / "out").mkdir()
    code, operations = record(lambda: write(tmp_path / "out"), tmp_path / "out", tmp_path / "log")
    assert code == 0, (tmp_path / "log").read_text()
    states = list(CrashModel(tmp_path / "before", operations).states(num_random=1))
    assert len(states) > 40
    for number, state in enumerate(states):
        if "results.json" in state.files:
            state.write(tmp_path / str(number))
            read_results(tmp_path / str(number))
            assert {"per_class.csv", "confusion.csv"} <= set(state.files)
