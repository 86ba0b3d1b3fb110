import math

import numpy as np
import pytest
from scipy import stats

from semseg.analysis.rank_correlation import rank_correlation, spearman


def test_spearman_of_ranks_with_ties():
    assert spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 100.0, 1000.0])) == pytest.approx(1)
    assert spearman(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])) == pytest.approx(-1)
    # ranks 1, 2.5, 2.5, 4 against 1, 3, 2, 4: 4.5 / sqrt(4.5 * 5)
    assert spearman(np.array([0.0, 5.0, 5.0, 9.0]), np.array([1.0, 3.0, 2.0, 4.0])) == pytest.approx(4.5 / 22.5**0.5)
    assert math.isnan(spearman(np.ones(3), np.arange(3.0)))


def test_spearman_is_that_of_scipy():
    random = np.random.default_rng(0)
    first, second = random.integers(0, 9, 40), random.random(40)
    assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)
    both = spearman(np.array([first, second]), np.array([second, second]))
    assert both == pytest.approx([spearman(first, second), 1])


def test_the_interval_holds_the_value_and_narrows_with_more_images():
    random = np.random.default_rng(0)
    truth = random.random(200)
    guess = truth + random.normal(0, 0.3, 200)
    few, many = rank_correlation(guess[:20], truth[:20]), rank_correlation(guess, truth)
    for found in (few, many):
        assert -1 <= found.low < found.value < found.high <= 1
    assert many.high - many.low < few.high - few.low
    assert many.num_images == 200
    assert rank_correlation(guess, truth) == many


def test_without_an_order_there_is_no_correlation():
    assert rank_correlation(np.arange(2.0), np.arange(2.0)) == (None, None, None, 2)
    assert rank_correlation(np.ones(9), np.arange(9.0)) == (None, None, None, 9)
