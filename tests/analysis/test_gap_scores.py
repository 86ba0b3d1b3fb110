import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from semseg.analysis.gap_scores import (
    ShareDifference,
    compare_shares,
    describe_differences,
    distances_from,
    expected_iou,
    measure,
    places_in,
    share_distance,
)

# two classes that share a picture of 1 x 4 pixels; a third one is nowhere
TRAIN_IDS = np.array([[0, 0, 1, 1]], np.uint8)
MIRRORED = np.array([[0, 0, 0, 1]], np.uint8)
DOUBT = np.array([[0.0, 0.5, 0.25, 0.25]], np.float16)
MASS = np.array([2.0, 2.0, 0.0])


def test_expected_iou_is_that_of_the_probabilities_times_that_of_the_mirror_image():
    found = expected_iou(TRAIN_IDS, MIRRORED, DOUBT, MASS)
    # class 0: intersection 1 + 0.5, union 2 + (2 - 1.5); 2 of 3 pixels are kept in the mirror image
    # class 1: intersection 0.75 + 0.75, union 2.5; 1 of 2 pixels
    assert found[:2] == pytest.approx([1.5 / 2.5 * 2 / 3, 1.5 / 2.5 * 1 / 2])
    assert math.isnan(found[2])


def test_the_measures_of_a_picture():
    found = measure(TRAIN_IDS, MIRRORED, DOUBT, np.array([[0.0, 1.0, 0.5, 0.5]], np.float16), MASS)
    assert found.confidence == 0.75
    assert found.entropy == 0.5
    assert found.flip_consistency == 0.75
    assert found.score == pytest.approx(1 - (0.4 + 0.3) / 2)
    assert found.shares.tolist() == [0.5, 0.5, 0]


def test_a_sure_and_stable_prediction_has_score_0():
    ids, sure = np.zeros((2, 3), np.uint8), np.zeros((2, 3), np.float16)
    assert measure(ids, ids, sure, sure, np.array([6.0, 0.0])).score == 0


def test_a_class_that_only_the_probabilities_or_the_mirror_image_have_is_expected_and_missing():
    ids, sure = np.zeros((10, 100), np.uint8), np.zeros((10, 100), np.float16)
    assert measure(ids, ids, sure, sure, np.array([999.01, 0.99])).score == pytest.approx(0.00099 / 1.00099, abs=1e-3)
    assert measure(ids, ids, sure, sure, np.array([999.0, 1.0])).score == pytest.approx(0.5)
    other = ids.copy()
    other[0, 0] = 1
    assert measure(ids, other, sure, sure, np.array([1000.0, 0.0])).score == pytest.approx(1 - 0.999 / 2)


def test_the_distance_of_shares():
    even, one, other = np.array([0.5, 0.5]), np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert share_distance(one, one) == 0
    assert share_distance(one, other) == 1
    # middle (3/4, 1/4): (log2(4/3) + log2(2/3) / 2 + log2(2) / 2) / 2
    expected = (math.log2(4 / 3) + math.log2(2 / 3) / 2 + 0.5) / 2
    assert share_distance(one, even) == pytest.approx(math.sqrt(expected))
    assert share_distance(np.array([one, even]), even).tolist() == pytest.approx([math.sqrt(expected), 0])
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.ones(19), 1000)
    close = shares * (1 + 1e-9 * random.standard_normal(shares.shape))
    assert share_distance(shares, close).max() < 1e-6  # and no nan
    assert share_distance(shares[0], shares[1]) == pytest.approx(jensenshannon(shares[0], shares[1], base=2))


def test_images_of_the_reference_are_compared_with_the_others():
    reference = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert 0 < distances_from(reference[2:], reference)[0] < 1
    assert distances_from(reference, reference, within=True)[2] == 1
    assert distances_from(reference[:1], reference[:1], within=True).tolist() == [0]


def test_places_count_equal_values_half():
    reference = np.array([1.0, 2.0, 2.0, 3.0])
    assert places_in(np.array([0.0, 1.0, 2.0, 2.5, 9.0]), reference).tolist() == [0, 0.125, 0.5, 0.75, 1]


def test_differences_are_described_if_they_are_large_and_significant():
    reference = np.array([[0.50, 0.30, 0.20], [0.52, 0.28, 0.20]])
    folder = np.array([[0.30, 0.50, 0.20], [0.32, 0.48, 0.20]])
    rows = compare_shares(["road", "sky", "car"], folder, reference)
    assert describe_differences(rows) == "more sky (+20.0); less road (-20.0)"
    # both variances 0.0002, so the error is sqrt(0.0002 / 2 * 2)
    assert rows[0].low == pytest.approx(-0.2 - 1.96 * 0.0002**0.5)
    assert not rows[2].is_clear
    assert not ShareDifference("car", 0.2, 0.204, 0.001, 0.007).is_clear  # less than half a point
    assert describe_differences(compare_shares(["road", "sky", "car"], folder[::-1], folder)) == ""


def test_one_image_is_compared_by_the_spread_of_the_reference_and_two_single_ones_not_at_all():
    reference = np.array([[0.5, 0.5], [0.6, 0.4]])
    (row, _) = compare_shares(["road", "sky"], np.array([[0.2, 0.8]]), reference)
    assert row.high == pytest.approx(-0.35 + 1.96 * (0.005 + 0.005 / 2) ** 0.5)
    assert row.is_clear
    (row, _) = compare_shares(["road", "sky"], np.array([[0.2, 0.8]]), reference[:1])
    assert row.low is None
    assert not row.is_clear
