"""Scores of regions by the probabilities of a model."""

import numpy as np
import pytest

from semseg.analysis.suspects.scoring import log_probabilities, score_regions


def test_the_score_is_the_mean_surprise_at_the_given_class():
    means = log_probabilities(np.array([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]]))
    scores, suggested, is_contradicted = score_regions(means, np.array([0, 2]))
    assert scores == pytest.approx([-np.log(0.7), -np.log(0.1)])
    assert suggested.tolist() == [1, 0]
    assert is_contradicted.tolist() == [False, True]


def test_an_excluded_label_has_the_highest_score():
    scores, _, _ = score_regions(log_probabilities(np.array([[0.0, 1.0]])), np.array([0]))
    assert scores == pytest.approx([9.21], abs=0.01)


def test_half_precision_is_not_rounded_further():
    values = np.array([[6e-8, 0.5]], np.float16)
    assert log_probabilities(values).dtype == np.float32
    assert log_probabilities(values)[0, 1] == pytest.approx(np.log(0.5))


def test_no_region_has_no_score():
    assert [len(part) for part in score_regions(np.zeros((0, 3)), np.zeros(0, np.int64))] == [0, 0, 0]
