import csv
import json

import numpy as np
import pytest

from semseg.analysis import curves
from semseg.analysis.curves import Curve, read_curves
from semseg.visualization import charts
from tests.conftest import raises


def write_start(work_dir, name, *lines, cut_off=""):
    folder = work_dir / name / "vis_data"
    folder.mkdir(parents=True)
    (folder / "scalars.json").write_text("".join(json.dumps(line) + "\n" for line in lines) + cut_off)
    return work_dir


def train(step, loss):
    return {"lr": 0.1, "loss": loss, "iter": step, "step": step}


def points(curve):
    return list(zip(curve.iterations.tolist(), curve.values.tolist(), strict=True))


def test_a_resumed_training_is_one_curve_without_repeated_iterations(tmp_path):
    write_start(
        tmp_path,
        "20260101_0900",
        train(10, 3.0),
        {"mIoU": 20.0, "step": 15},
        train(20, 2.0),
        {"mIoU": 30.0, "step": 22},
        train(30, 9.0),
    )
    write_start(tmp_path, "20260101_1000")  # ended before its first line
    write_start(tmp_path, "20260101_1100", train(20, 1.5), train(25, 1.0), cut_off='{"loss": 0.')
    found = read_curves(tmp_path)
    assert list(found) == ["lr", "loss", "mIoU"]
    assert points(found["loss"]) == [(10, 3.0), (20, 1.5), (25, 1.0)]
    assert points(found["mIoU"]) == [(15, 20.0)]
    assert points(read_curves(tmp_path / "20260101_1100")["loss"]) == [(20, 1.5), (25, 1.0)]


def test_of_two_lines_for_an_iteration_the_later_one_is_used(tmp_path):
    found = read_curves(write_start(tmp_path, "a", train(10, 3.0), train(10, 2.0), {"loss": float("nan"), "step": 20}))
    assert found["loss"].values[0] == 2
    assert np.isnan(found["loss"].values[1])


def test_folders_without_scalars_and_broken_lines_say_what_was_expected(tmp_path):
    with raises("E-input-missing", r"no folder .*none"):
        read_curves(tmp_path / "none")
    with raises("E-input-missing", r"<start>/vis_data/scalars\.json"):
        read_curves(write_start(tmp_path, "empty"))
    path = write_start(tmp_path, "broken", cut_off='{"loss"\n{"loss": 1, "step": 1}\n')
    with raises("E-input-unreadable", r"scalars\.json, line 1: .*'{\"loss\"'"):
        read_curves(path)


def test_keys_are_chosen_by_name_or_pattern_and_the_main_ones_by_default():
    known = ["lr", "loss", "mIoU", "IoU/road", "IoU/person", "memory"]
    assert curves.choose_keys(known, None) == ["loss", "lr", "mIoU"]
    assert curves.choose_keys(known, ["IoU/*", "lr", "IoU/road"]) == ["IoU/road", "IoU/person", "lr"]
    assert curves.choose_keys(["memory"], None) == ["memory"]


def test_for_an_unknown_key_similar_ones_are_suggested():
    known = ["loss", "mIoU", "IoU/person", "IoU/road"]
    with raises("E-input-key", "'miou' .*'mIoU'"):
        curves.choose_keys(known, ["miou"])
    with raises("E-input-key", "'person' .*'IoU/person'"):
        curves.choose_keys(known, ["person"])
    with raises("E-input-key", r"'zebra' .*IoU/\* loss mIoU"):
        curves.choose_keys(known, ["zebra"])


def test_the_best_is_the_lowest_loss_and_the_highest_score():
    curve = Curve(np.array([1, 2, 3, 4]), np.array([2.0, np.nan, 1.0, 3.0]))
    assert curves.best_of("decode.loss_ce", curve) == (3, 1)
    assert curves.best_of("IoU/person", curve) == (4, 3)
    assert curves.best_of("lr", curve) is None
    assert curves.best_of("loss", Curve(np.array([1]), np.array([np.nan]))) is None


def test_an_average_has_its_point_in_the_middle_and_skips_what_is_not_finite():
    curve = Curve(np.arange(5), np.array([0.0, 3.0, 6.0, np.nan, 9.0]))
    assert curves.smoothed(curve, 3).values.tolist() == [1.5, 3, 4.5, 7.5, 9]
    assert np.isnan(curves.smoothed(curve, 1).values).tolist() == [False, False, False, True, False]


RUNS = {
    "a": {"loss": Curve(np.array([10, 20]), np.array([2.0, 3.0])), "mIoU": Curve(np.array([20]), np.array([41.5]))},
    "b": {"loss": Curve(np.array([5]), np.array([123456.0]))},
}


def test_the_table_has_last_and_best_values():
    lines = [line.split() for line in curves.table(RUNS, ["loss", "mIoU"])]
    assert lines == [
        ["last", "iteration", "best", "iteration"],
        ["loss", "a", "3", "20", "2", "10"],
        ["loss", "b", "123456", "5", "123456", "5"],
        ["mIoU", "a", "41.5", "20", "41.5", "20"],
    ]
    assert curves.table({"a": RUNS["a"]}, ["loss"])[1].split() == ["loss", "3", "20", "2", "10"]


def test_the_csv_has_a_row_per_iteration_and_empty_cells_where_nothing_was_measured(tmp_path):
    curves.write_csv(RUNS, ["loss", "mIoU"], tmp_path / "x.csv")
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["run", "iteration", "loss", "mIoU"],
        ["a", "10", "2.0", ""],
        ["a", "20", "3.0", "41.5"],
        ["b", "5", "123456.0", ""],
    ]


@pytest.mark.slow
def test_the_chart_has_a_panel_per_key_and_a_colour_per_run():
    def lines(num_keys):
        curve = (np.arange(100), np.linspace(0, 1, 100), None)
        return {f"key {i}": {"a": curve, "b": (curve[0], curve[1] ** 2, None)} for i in range(num_keys)}

    def colored(chart, color):
        return int((np.abs(chart.astype(int) - color).sum(axis=2) < 40).sum())

    one, nine = charts.draw_curves(lines(1)), charts.draw_curves(lines(9))
    assert one.dtype == np.uint8
    assert nine.shape[0] > 2 * one.shape[0]
    for color in ((0, 0x72, 0xB2), (0xD5, 0x5E, 0)):
        assert colored(nine, color) > 3 * colored(one, color) > 0
