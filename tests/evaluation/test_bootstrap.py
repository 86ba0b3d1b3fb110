import numpy as np
import pytest

from semseg.evaluation.bootstrap import intervals, paired_intervals, unpaired_intervals
from semseg.evaluation.confusion import Areas
from semseg.evaluation.scores import means


def images(right, size=100):
    """Return the areas of images of one class: `right` pixels of each are correct, the others predicted as a second."""
    right = np.array(right)
    truth = np.stack([np.full_like(right, size), np.zeros_like(right)], 1)
    intersect = np.stack([right, np.zeros_like(right)], 1)
    predicted = np.stack([right, size - right], 1)
    return Areas(intersect, truth, predicted)


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    random = np.random.default_rng(1)
    right = random.integers(20, 100, 400)
    low, high = intervals(images(right), means)["aAcc"]
    error = right.std() / np.sqrt(400)  # of the mean
    assert low == pytest.approx(right.mean() - 1.96 * error, abs=0.5)
    assert high == pytest.approx(right.mean() + 1.96 * error, abs=0.5)


def test_the_interval_of_equal_images_is_a_single_value():
    assert intervals(images([80] * 5), means)["aAcc"] == (80, 80)


def test_the_same_seed_gives_the_same_interval():
    areas = images([10, 50, 90, 30])
    assert intervals(areas, means)["mIoU"] == intervals(areas, means)["mIoU"]


def test_an_undefined_score_has_no_interval():
    no_pixels = Areas(*np.zeros((3, 4, 2), int))
    assert np.isnan(intervals(no_pixels, means)["mIoU"]).all()


def test_two_models_on_the_same_images_differ_by_less_than_their_intervals_say():
    random = np.random.default_rng(2)
    right = random.integers(20, 90, 100)
    low, high = paired_intervals(images(right), images(right + 3), means)["aAcc"]
    assert low == pytest.approx(3)
    assert high == pytest.approx(3)
    low, high = intervals(images(right), means)["aAcc"]
    assert high - low > 3


def test_errors_of_different_images_add_up_in_their_difference():
    random = np.random.default_rng(1)
    right = [random.integers(20, 100, count) for count in (300, 200)]
    low, high = unpaired_intervals(images(right[0]), images(right[1]), means)["aAcc"]
    difference = right[1].mean() - right[0].mean()
    error = np.sqrt(sum(values.var() / len(values) for values in right))
    assert low == pytest.approx(difference - 1.96 * error, abs=0.7)
    assert high == pytest.approx(difference + 1.96 * error, abs=0.7)
