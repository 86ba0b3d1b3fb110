import json

import pytest

from semseg.analysis.compare import compare, to_plain_data
from semseg.evaluation.results import read_results
from tests.conftest import raises
from tests.evaluation.random_results import write


def both(tmp_path, first, second):
    return tuple(read_results(write(tmp_path / name, **options)) for name, options in (("a", first), ("b", second)))


def test_a_better_model_has_an_interval_above_zero(tmp_path):
    comparison = compare(*both(tmp_path, dict(quality=0.3), dict(quality=0.8, seed=1)))
    scores = {row.name: row for row in comparison.scores}
    assert scores["aAcc"].value > 0
    assert scores["aAcc"].is_sure
    assert scores["aAcc"].low < scores["aAcc"].value < scores["aAcc"].high
    assert [row.name for row in comparison.classes] == ["road", "car", "train"]
    assert len(comparison.images) == 6
    assert [row.value for row in comparison.images] == sorted(row.value for row in comparison.images)


def test_a_model_does_not_differ_from_itself(tmp_path):
    comparison = compare(*both(tmp_path, {}, {}))
    assert all((row.value, row.low, row.high) == (0, 0, 0) for row in comparison.scores)
    assert not any(row.is_sure for row in comparison.scores)


def test_undefined_scores_stay_undefined(tmp_path):
    comparison = compare(*both(tmp_path, dict(num_classes=2), dict(num_classes=2, seed=1)))
    plain = json.loads(json.dumps(to_plain_data(comparison), allow_nan=False))
    assert plain["classes"][2] == {
        "name": "train",
        "first": None,
        "second": None,
        "low": None,
        "high": None,
        "difference": None,
    }


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (dict(num_images=5), r"1 are in one only, first b/5\.png"),
        (dict(absent="leave-out"), "zero in one run, as leave-out in the other"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(tmp_path, second, message):
    with raises("E-input-incomparable", message):
        compare(*both(tmp_path, {}, second))


def test_other_truths_and_classes_are_refused(tmp_path):
    first, second = both(tmp_path, {}, {})
    second.confusions.count[0] += 1
    with raises("E-input-incomparable", r"1 of 6 images .*, first a/0\.png"):
        compare(first, second)
    second.summary["classes"][0] = "street"
    with raises("E-input-incomparable", "classes"):
        compare(first, second)


def test_one_image_is_too_few(tmp_path):
    with raises("E-input-incomparable", "1 image"):
        compare(*both(tmp_path, dict(num_images=1), dict(num_images=1)))
