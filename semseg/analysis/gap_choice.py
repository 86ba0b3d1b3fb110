"""Choose which photographs to label next: difficult ones, and different from each other.

The hardest photographs alone may be neighbouring frames of one scene, of which one label is enough. The choice starts
with the hardest photograph. Then it repeatedly adds the candidate with the highest product of score and distance to the
nearest chosen photograph. This is the farthest-first traversal that "Active Learning for Convolutional Neural Networks:
A Core-Set Approach" (Sener and Savarese 2018, arXiv:1708.00489) uses for k-center, weighted by the score. Candidates
are only the hardest photographs, a few times as many as wanted, as in "Diverse mini-batch Active Learning" (Zhdanov
2019, arXiv:1901.05954), which also weights by the uncertainty, but clusters by k-means. The product and the limits
below are choices of this project.
"""

from __future__ import annotations

import numpy as np

from semseg.analysis.gap_scores import share_distance

CANDIDATES_PER_CHOICE = 5
"""The candidates are the hardest photographs, so many times the number of wanted ones, at most the harder half."""


def choose_next(scores: np.ndarray, shares: np.ndarray, num_wanted: int) -> list[int]:
    """Return the indices of the photographs to label next, in the order of the choice.

    Args:
        scores: of the photographs, high for difficult ones, 0 to 1, in descending order.
        shares: class shares, shape (images, num_classes). The distance of two photographs is `share_distance`.
        num_wanted: 1 or more; all photographs if there are fewer.
    """
    num_candidates = max(num_wanted, min(CANDIDATES_PER_CHOICE * num_wanted, -(-len(scores) // 2)))
    scores, shares = scores[:num_candidates], shares[:num_candidates]
    chosen = [0]
    distances = share_distance(shares, shares[0])
    while len(chosen) < min(num_wanted, len(scores)):
        values = scores * distances
        values[chosen] = -1
        chosen.append(int(values.argmax()))  # the hardest one among equal values
        distances = np.minimum(distances, share_distance(shares, shares[chosen[-1]]))
    return chosen
