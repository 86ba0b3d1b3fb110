import csv

import numpy as np
import pytest
import yaml
from PIL import Image

from semseg.datasets import statistics
from tests.conftest import raises

MASKS = [  # 8 px each; class 3 never occurs
    [0, 0, 0, 0, 0, 0, 1, 255],
    [0, 0, 0, 0, 2, 2, 2, 2],
    [255, 255, 255, 0, 0, 0, 0, 1],
]


def as_mask(values):
    return np.array(values, np.uint8).reshape(2, 4)


def histograms(masks):
    return [np.bincount(values, minlength=256) for values in masks]


@pytest.fixture
def counts():
    return statistics.add_up(histograms(MASKS), 4)


@pytest.fixture
def dataset_file(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for number, values in enumerate(MASKS):
        Image.new("RGB", (4, 2)).save(tmp_path / f"images/{number}.png")
        Image.fromarray(as_mask(values)).save(tmp_path / f"masks/{number}.png")
    path = tmp_path / "dataset.yaml"
    content = {
        "splits": {"train": {"images": "images", "masks": "masks"}},
        "encoding": "ids",
        "classes": ["a", "b", "c", "d"],
    }
    path.write_text(yaml.safe_dump(content))
    return path


def test_pixels_and_images_of_each_class_are_counted(counts):
    assert counts.pixels.tolist() == [14, 2, 4, 0]
    assert counts.images.tolist() == [3, 2, 1, 0]
    assert counts.pixels_beside.tolist() == [7 + 8 + 5, 7 + 5, 8, 0]
    assert (counts.ignored, counts.num_images, counts.labelled) == (4, 3, 20)
    assert counts.shares.tolist() == [0.7, 0.1, 0.2, 0]
    assert counts.ignored_share == 4 / 24


@pytest.mark.parametrize(
    ("formula", "raw"),
    [
        ("median-frequency", [0.5 / 0.7, 0.5 / (2 / 12), 1]),  # frequencies 14/20, 2/12, 4/8
        ("enet", [1 / np.log(1.72), 1 / np.log(1.12), 1 / np.log(1.22)]),
        ("inverse", [1 / 0.7, 10, 5]),
        ("sqrt-inverse", [0.7**-0.5, 0.1**-0.5, 0.2**-0.5]),
    ],
)
def test_weights_are_those_computed_by_hand_with_mean_1_over_the_pixels(counts, formula, raw):
    weights = statistics.class_weights(counts, formula)
    mean = np.dot([0.7, 0.1, 0.2], raw)
    np.testing.assert_allclose(weights, [*np.divide(raw, mean), 1])
    assert np.dot(counts.shares, weights) == pytest.approx(1)


def test_the_bound_of_enet_is_what_its_docstring_says():
    shares = np.array([10**9, 1])
    counts = statistics.ClassCounts(shares, np.ones(2, int), shares, 0, 1)
    weights = statistics.class_weights(counts, "enet")
    assert 35 < weights[1] / weights[0] < 36


def test_masks_without_labelled_pixels_give_no_weights():
    counts = statistics.add_up(histograms([[255] * 8]), 2)
    assert counts.shares.tolist() == [0, 0]
    with raises("E-data-empty", "no pixel of 1 masks"):
        statistics.class_weights(counts, "enet")
    assert statistics.table(counts, ["a", "b"])[-1] == "ignored: 8 px, 100.00% of all"


def test_a_value_that_is_no_class_is_refused():
    with raises("E-data-mask-values", r"0\.\.1 and 255: \{7: 2 px, 9: 1 px\}"):
        statistics.add_up(histograms([[0, 7, 7, 9, 255, 0, 0, 0]]), 2)


def test_no_mask_at_all_is_refused():
    with raises("E-data-empty"):
        statistics.add_up([], 2)


@pytest.mark.parametrize("num_processes", [1, 2])
def test_a_dataset_file_is_counted_by_its_rules(dataset_file, counts, num_processes, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "cache"))
    found = statistics.count_dataset_file(
        dataset_file, "train", num_processes, lambda done, total: seen.append((done, total))
    )
    assert found.pixels.tolist() == counts.pixels.tolist()
    assert found.ignored == counts.ignored
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_missing_split_is_named(dataset_file):
    with raises("E-data-split", r"dataset\.yaml .*'val'.* train"):
        statistics.count_dataset_file(dataset_file, "val")


def test_the_table_is_aligned_and_a_class_that_does_not_occur_has_no_weight(counts):
    lines = statistics.table(counts, ["a", "longer name", "c", "d"])
    assert len({len(line) for line in lines[:-1]}) == 1
    assert lines[0].split() == ["class", "pixels", "share", "images", "share", *statistics.FORMULAS]
    assert lines[2].split()[:5] == ["a", "14", "70.00%", "3", "100%"]
    assert lines[5].split() == ["d", "0", "0.00%", "0", "0%", "-", "-", "-", "-"]
    assert lines[-1] == "ignored: 4 px, 16.67% of all"


def test_the_csv_holds_the_same_numbers(counts, tmp_path):
    statistics.write_csv(counts, ["a", "b", "c", "d"], tmp_path / "x.csv")
    with (tmp_path / "x.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["a", "b", "c", "d", "ignored"]
    assert [int(row["pixels"]) for row in rows] == [14, 2, 4, 0, 4]
    assert sum(float(row["share_of_all"]) for row in rows) == pytest.approx(1, abs=1e-5)
    for formula in statistics.FORMULAS:
        column = [float(row[formula]) for row in rows[:4]]
        np.testing.assert_allclose(column, statistics.class_weights(counts, formula), rtol=1e-5)
