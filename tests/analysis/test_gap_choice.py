"""Which photographs to label next: difficult and different ones."""

import numpy as np

from semseg.analysis.gap_choice import choose_next


def test_the_hardest_is_first_and_its_neighbours_are_not_chosen():
    scenes = np.array([[0.8, 0.2, 0], [0.2, 0.8, 0], [0, 0.3, 0.7]])
    shares = scenes[[0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 2, 2]] + np.arange(12)[:, None] * [1e-3, -1e-3, 0]
    scores = np.linspace(0.9, 0.5, 12)
    assert choose_next(scores, shares, 1) == [0]
    assert choose_next(scores, shares, 3) == [0, 5, 3]  # by the score alone: 0, 1, 2


def test_a_photograph_of_the_easier_half_is_not_chosen_because_it_is_unlike_the_others():
    shares = np.array([[0.6, 0.4]] * 9 + [[0.0, 1.0]])
    assert choose_next(np.linspace(0.9, 0.1, 10), shares, 2) == [0, 1]


def test_all_are_chosen_if_there_are_fewer_and_equal_ones_by_score():
    shares = np.full((4, 2), 0.5)
    assert choose_next(np.array([0.4, 0.3, 0.2, 0.0]), shares, 9) == [0, 1, 2, 3]
    assert choose_next(np.array([0.0]), shares[:1], 2) == [0]


def test_candidates_are_the_hardest_few_of_many():
    generator = np.random.default_rng(0)
    shares = generator.dirichlet(np.ones(5), 200)
    chosen = choose_next(np.linspace(1, 0, 200), shares, 4)
    assert len(set(chosen)) == 4
    assert max(chosen) < 20
