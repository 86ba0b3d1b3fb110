import numpy as np
import pytest

from semseg.analysis.pseudo_labels import DoubtCounts, pseudo_labels

TRAIN_IDS = np.array([[0, 0, 0, 0, 0, 1, 1, 1, 1, 1]], np.uint8)
DOUBT = np.array([[0.0001, 0.0002, 0.0003, 0.0004, 0.0005, 0.5, 0.4, 0.3, 0.2, 0.1]], np.float16)


@pytest.mark.parametrize(("share", "kept"), [(0.2, "0--------1"), (0.6, "000----111"), (1, "0000011111")])
def test_of_each_class_the_surest_share_is_kept(share, kept):
    counts = DoubtCounts(3)
    counts.update(TRAIN_IDS, DOUBT)
    labels = pseudo_labels(TRAIN_IDS, DOUBT, counts.max_doubt(share))
    assert "".join("-" if value == 255 else str(value) for value in labels[0].tolist()) == kept
    assert labels.dtype == np.uint8


def test_a_share_rounds_up_and_equal_pixels_are_kept_together():
    counts = DoubtCounts(1)
    train_ids, doubt = np.zeros((1, 5), np.uint8), np.array([[0.25, 0.25, 0.25, 0.5, 1]], np.float16)
    counts.update(train_ids, doubt)
    assert counts.max_doubt(0.01).tolist() == [0.25]
    assert counts.max_doubt(0.61).tolist() == [0.5]
    assert counts.max_doubt(1).tolist() == [1]


def test_counting_goes_on_over_images_in_the_same_memory():
    random = np.random.default_rng(0)
    counts, size = DoubtCounts(19), DoubtCounts(19).counts.nbytes
    doubts, ids = [], []
    for _ in range(5):
        ids.append(random.integers(0, 19, (30, 40), np.uint8))
        doubts.append(random.random((30, 40)).astype(np.float16))
        counts.update(ids[-1], doubts[-1])
    assert counts.counts.nbytes == size
    assert counts.counts.sum() == 5 * 30 * 40
    limits = counts.max_doubt(0.3)
    for class_id in range(19):
        own = np.sort(np.array(doubts)[np.array(ids) == class_id])
        assert limits[class_id] == own[int(np.ceil(0.3 * len(own))) - 1]


def test_a_class_without_pixels_keeps_none():
    counts = DoubtCounts(2)
    counts.update(TRAIN_IDS[:, :5], DOUBT[:, :5])
    assert counts.max_doubt(0.5)[1] == 0
