import numpy as np

from semseg.planning.picture_facts import STRIDES, measure_arrays
from tests.planning.drawn_sets import WIDTHS, stripes


def measure(train_ids, num_classes=6):
    image = np.full((*train_ids.shape, 3), 100, np.uint8)
    return measure_arrays(image, train_ids, num_classes)


def test_widths_are_those_that_were_drawn():
    facts = measure(stripes())
    for i, width in enumerate(WIDTHS):
        assert np.flatnonzero(facts.widths[i + 1]).tolist() == [width]
        (found,) = facts.objects[facts.objects[:, 0] == i + 1]
        assert found.tolist() == [i + 1, 120 * width, width]


def test_a_stripe_at_the_border_of_the_picture_has_no_edge_there():
    train_ids = np.zeros((40, 40), np.uint8)
    train_ids[:, :6] = 1
    assert measure(train_ids, 2).objects[-1, 2] >= 11  # as if it went on outside


def test_a_picture_of_one_class_has_no_border_and_counts_as_wide():
    facts = measure(np.zeros((30, 50), np.uint8), 2)
    assert facts.border == 0
    assert facts.objects[:, :2].tolist() == [[0, 1500]]
    assert facts.objects[0, 2] >= 500


def test_thin_classes_vanish_at_coarse_strides_and_wide_ones_stay():
    facts = measure(stripes())
    kept = facts.kept[..., 0] / facts.kept[..., 1]
    assert np.all(np.diff(kept[:, 1]) <= 0)
    assert kept[STRIDES.index(8), 1] < 0.3
    assert kept[STRIDES.index(4), 5] > 0.8


def test_ignored_pixels_are_counted_and_left_out():
    train_ids = stripes()
    train_ids[:20] = 255
    facts = measure(train_ids)
    assert facts.ignored == 20 * 120
    assert facts.pixels.sum() == 100 * 120
    assert facts.rows[:, 0].sum() == 10 * 120  # the first of four bands of 30 rows


def test_large_pictures_are_measured_in_fewer_rows_with_the_same_widths():
    train_ids = np.zeros((1600, 1600), np.uint8)
    train_ids[:, 400:440] = 1
    facts = measure(train_ids, 2)
    assert facts.step == 2
    assert np.flatnonzero(facts.widths[1]).tolist() == [40]
    assert facts.objects[facts.objects[:, 0] == 1].tolist() == [[1, 1600 * 40, 40]]


def test_one_hue_differs_from_all_hues():
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    facts = measure_arrays(red, np.zeros((16, 16), np.uint8), 1)
    assert np.hypot(*facts.hue[:2]) == facts.hue[2]
    assert facts.saturation == 1
