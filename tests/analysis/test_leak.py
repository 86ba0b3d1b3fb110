"""Scores of tested pictures whose group was in the training, against others, and with and without the leak."""

import math

import pytest

from semseg.analysis.leak import measure
from semseg.evaluation.results import read_results
from tests.conftest import raises
from tests.evaluation.random_results import write

RULE = "regex:/([a-z])/"  # tested pictures are photos/a/0.png, photos/b/1.png and so on


def test_pictures_of_seen_groups_are_scored_against_the_others(tmp_path, trained):
    results = read_results(write(tmp_path / "first", num_images=20))
    leak = measure([results], [trained("set1", "aac")], RULE)
    assert leak.shared == {"a": (2, 10)}
    assert [(part.name, part.num_groups, part.num_images) for part in leak.parts] == [
        ("all images", 2, 20),
        ("groups seen in training", 1, 10),
        ("other groups", 1, 10),
    ]
    assert leak.parts[0].scores["mIoU"][0] == pytest.approx(results.summary["scores"]["mIoU"]["value"])
    assert leak.parts[1].unit == "blocks of 3 neighbouring images"
    for part in leak.parts:
        value, low, high = part.scores["aAcc"]
        assert low < value < high
    difference = leak.seen_less_unseen
    assert difference.low < difference.value < difference.high
    assert leak.scores == []


def test_the_difference_of_two_tests_is_what_the_leak_gives(tmp_path, trained):
    with_leak, without = (
        read_results(write(tmp_path / name, num_images=20, quality=quality))
        for name, quality in (("first", 0.9), ("second", 0.4))
    )
    leak = measure([with_leak, without], [trained("set1", "ab"), trained("set2", "cd")], RULE)
    assert [training.num_related for training in leak.trainings] == [2, 0]
    score = {row.name: row for row in leak.scores}["mIoU"]
    assert score.second == pytest.approx(with_leak.summary["scores"]["mIoU"]["value"])
    assert score.value > 0
    assert 0 < score.low < score.value < score.high
    assert [row.name for row in leak.classes] == ["road", "car", "train"]
    assert leak.doubts() == []


def test_with_eight_groups_the_bootstrap_draws_groups(tmp_path, trained):
    results = read_results(write(tmp_path / "first", num_images=16))
    leak = measure([results], [trained("set1", "c")], r"regex:/(\d+)\.png")
    assert leak.parts[0].unit == "groups"


def test_without_shared_groups_there_is_nothing_to_compare(tmp_path, trained):
    leak = measure([read_results(write(tmp_path / "first"))], [trained("set1", "c")], RULE)
    assert (leak.shared, len(leak.parts), leak.seen_less_unseen) == ({}, 1, None)


def test_one_picture_of_a_part_has_no_interval(tmp_path, trained):
    leak = measure([read_results(write(tmp_path / "first", num_images=3))], [trained("set1", "b")], RULE)
    assert all(map(math.isnan, leak.parts[1].scores["mIoU"][1:]))
    assert math.isnan(leak.seen_less_unseen.low)


def test_a_second_model_that_saw_the_groups_too_is_refused(tmp_path, trained):
    results = [read_results(write(tmp_path / name)) for name in ("first", "second")]
    with raises("E-input-incomparable", r"second has 1 images of tested groups too"):
        measure(results, [trained("set1", "ab"), trained("set2", "ac")], RULE)


def test_trainings_of_other_sizes_are_a_doubt(tmp_path, trained):
    results = [read_results(write(tmp_path / name)) for name in ("first", "second")]
    (sentence,) = measure(results, [trained("set1", "abab"), trained("set2", "cd")], RULE).doubts()
    assert sentence.startswith("the trainings have 4 and 2 images")
