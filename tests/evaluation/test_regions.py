import numpy as np
import pytest
from hypothesis import given, settings

from semseg.evaluation.regions import ImageRows, ObjectSizes
from tests.evaluation.label_maps import IGNORED, NUM_CLASSES, blobs, images


def test_regions_fall_into_the_sizes_of_coco():
    target = np.full((200, 400), IGNORED, np.uint8)
    target[0:31, 0:33] = 0  # 1023
    target[50:82, 0:32] = 0  # 1024
    target[100:195, 0:97] = 0  # 9215
    target[100:196, 200:296] = 0  # 9216
    predicted = np.ones(target.shape, np.uint8)
    predicted[:, :16] = 0
    extra = ObjectSizes(2)
    extra.update(predicted, target)
    summary = extra.summary()
    assert summary["bounds_px"] == [1024, 9216]
    assert summary["names"] == ["small", "medium", "large"]
    assert summary["objects"] == [[1, 0], [2, 0], [1, 0]]
    small, medium, large = (row[0] for row in summary["recall"])
    assert small == pytest.approx(100 * 16 / 33)
    assert medium == pytest.approx(100 * 16 * (32 + 95) / (1024 + 9215))
    assert large == 0
    assert [row[1] for row in summary["recall"]] == [None] * 3


def test_areas_that_touch_at_a_corner_are_one_region_and_areas_with_a_gap_are_two():
    target = np.full((4, 9), IGNORED, np.uint8)
    target[0:2, 0:2] = target[2:4, 2:4] = target[0:4, 6:8] = 1
    extra = ObjectSizes(3)
    extra.update(target, target)
    assert extra.summary()["objects"][0] == [0, 2, 0]


@settings(max_examples=30, deadline=None)
@given(pair=images())
def test_the_regions_of_all_sizes_hold_every_labelled_pixel(pair):
    predicted, target = pair
    extra = ObjectSizes(NUM_CLASSES)
    extra.update(predicted, target)
    for train_id in range(NUM_CLASSES):
        true = target == train_id
        assert extra.counts["pixels"][:, train_id].sum() == true.sum()
        assert extra.counts["found"][:, train_id].sum() == (true & (predicted == target)).sum()


def test_rows_are_eight_equal_bands_from_top_to_bottom():
    target = np.zeros((80, 10), np.uint8)
    target[:10, 5:] = IGNORED
    predicted = target.copy()
    predicted[70:] = 1  # the lowest band is all wrong
    predicted[15:20] = 1  # half of the second
    extra = ImageRows(2)
    extra.update(predicted, target)
    summary = extra.summary()
    assert summary["edges"] == [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1]
    assert summary["aAcc"] == [100, 50, 100, 100, 100, 100, 100, 0]
    assert summary["mIoU"] == [100, 25, 100, 100, 100, 100, 100, 0]
    assert summary["share"] == pytest.approx([100 / 15] + [200 / 15] * 7)


@pytest.mark.parametrize("height", [1, 7, 60, 61])
def test_rows_of_any_height_hold_every_labelled_pixel(height):
    predicted, target = blobs(0, (height, 30), ignored=False), blobs(1, (height, 30))
    extra = ImageRows(NUM_CLASSES)
    extra.update(predicted, target)
    assert extra.counts["confusion"].sum() == (target != IGNORED).sum()
    filled = extra.counts["confusion"].any((1, 2)).sum()
    assert filled == min(8, height)
