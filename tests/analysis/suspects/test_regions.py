"""Regions of the labels, parts of them that the model contradicts, and the pooled probabilities."""

import cv2
import numpy as np
import pytest

from semseg.analysis.suspects.regions import border_px, find_candidates, pool, share_around

ROAD, CAR, SIGN, IGNORED = 0, 1, 2, 255


def confident(train_ids, probability=0.9, num_classes=3):
    """Return probabilities of a model that is this sure of these classes."""
    rest = (1 - probability) / (num_classes - 1)
    return np.stack([np.where(train_ids == k, probability, rest) for k in range(num_classes)]).astype(np.float16)


@pytest.fixture
def labels():
    """A road with a car of 20 x 20, and an ignored strip; 100 x 120."""
    train_ids = np.full((100, 120), ROAD, np.uint8)
    train_ids[40:60, 50:70] = CAR
    train_ids[:5] = IGNORED
    return train_ids


def test_every_component_of_a_class_is_a_region(labels):
    labels[80:90, 10:20] = CAR
    found = find_candidates(labels, confident(labels), 50)
    assert found.given.tolist() == [ROAD, CAR, CAR]
    assert found.boxes.tolist() == [[0, 5, 120, 95], [50, 40, 20, 20], [10, 80, 10, 10]]
    assert found.areas.tolist() == [95 * 120 - 500, 400, 100]
    assert not found.is_part.any()
    np.testing.assert_allclose(np.exp(found.log_probabilities[1]), [0.05, 0.9, 0.05], atol=1e-3)


def test_diagonal_neighbours_are_one_region():
    train_ids = np.zeros((60, 60), np.uint8)
    train_ids[np.arange(60), np.arange(60)] = SIGN
    assert sorted(find_candidates(train_ids, confident(train_ids), 20).given) == [ROAD, SIGN]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (40, 50)])
def test_regions_are_those_of_each_class_alone(size):
    train_ids = np.random.default_rng(0).integers(0, 3, size, np.uint8)
    found = find_candidates(train_ids, confident(train_ids), 1)
    expected = set()
    for train_id in range(3):
        _, numbers, stats, _ = cv2.connectedComponentsWithStats((train_ids == train_id).view(np.uint8), connectivity=8)
        expected |= {(train_id, *map(int, row)) for row in stats[1:]}
        for number in np.unique(found.label_map[train_ids == train_id]):
            assert len(np.unique(numbers[found.label_map == number])) == 1
    rows = zip(found.given.tolist(), found.boxes.tolist(), found.areas.tolist(), strict=True)
    assert {(given, *box, area) for given, box, area in rows} == expected


def test_small_regions_are_left_out(labels):
    assert find_candidates(labels, confident(labels), 401).given.tolist() == [ROAD]


def test_an_object_that_nobody_drew_is_a_part_of_the_region_around_it(labels):
    predicted = labels.copy()
    predicted[70:80, 10:30] = SIGN
    found = find_candidates(labels, confident(predicted), 50)
    (place,) = np.flatnonzero(found.is_part)
    assert (found.given[place], found.areas[place]) == (ROAD, 200)
    assert found.boxes[place].tolist() == [10, 70, 20, 10]
    assert found.mask_of(place).sum() == 200
    assert found.log_probabilities[place].argmax() == SIGN
    assert share_around(found, place, SIGN, labels) == 0


def test_a_part_beside_a_region_of_its_class_has_neighbours_of_that_class(labels):
    predicted = labels.copy()
    predicted[40:60, 70:90] = CAR  # the car is longer than drawn
    found = find_candidates(labels, confident(predicted), 50)
    (place,) = np.flatnonzero(found.is_part)
    assert share_around(found, place, CAR, labels) > 0.1


def test_a_strip_along_a_border_is_no_part(labels):
    predicted = labels.copy()
    predicted[40:60, 70:72] = CAR
    assert border_px(labels.shape) == 2
    assert not find_candidates(labels, confident(predicted), 20).is_part.any()


def test_a_region_that_is_contradicted_as_a_whole_is_not_listed_twice(labels):
    predicted = np.where(labels == CAR, SIGN, labels)
    found = find_candidates(labels, confident(predicted), 50)
    assert found.given.tolist() == [ROAD, CAR]
    assert found.log_probabilities[1].argmax() == SIGN


def test_ignored_pixels_are_in_no_region(labels):
    predicted = np.full_like(labels, SIGN)
    found = find_candidates(labels, confident(predicted), 1)
    assert not found.label_map[:5].any()
    assert not found.part_map[:5].any()


def test_pixels_near_the_border_count_less():
    region_map = np.zeros((200, 200), np.int32)
    region_map[50:150, 50:150] = 1
    values = np.zeros((1, 200, 200), np.float32)
    values[0, 50, 50:150] = 1  # one side of the border
    assert 0 < pool(region_map, values, 1)[0, 0] < 0.6 / 100


def test_a_picture_without_labels_has_no_regions():
    found = find_candidates(np.full((20, 30), IGNORED, np.uint8), confident(np.zeros((20, 30), np.uint8)), 1)
    assert len(found.areas) == len(found.log_probabilities) == 0
    assert found.log_probabilities.shape == (0, 3)
