import numpy as np
import pytest

from semseg import drawing

RED_AND_GREEN = [[255, 0, 0], [0, 255, 0]]


def test_colours_are_rgb_and_ignored_pixels_keep_the_photograph():
    image = np.full((1, 3, 3), 100, np.uint8)
    blended = drawing.overlay(image, np.array([[0, 1, 255]], np.uint8), RED_AND_GREEN, opacity=1)
    assert blended.tolist() == [[[255, 0, 0], [0, 255, 0], [100, 100, 100]]]
    assert image.min() == image.max() == 100  # untouched


def test_opacity_zero_is_the_photograph():
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    np.testing.assert_array_equal(drawing.overlay(image, np.zeros((4, 5), np.uint8), RED_AND_GREEN, 0), image)


def test_sizes_that_differ_are_an_error():
    with pytest.raises(ValueError, match=r"image \(2, 2\) and train ids \(3, 3\) differ in size"):
        drawing.overlay(np.zeros((2, 2, 3), np.uint8), np.zeros((3, 3), np.uint8), RED_AND_GREEN)


def test_truth_stands_left_and_prediction_right():
    image = np.zeros((64, 128, 3), np.uint8)
    truth, predicted = np.zeros((64, 128), np.uint8), np.ones((64, 128), np.uint8)
    panel = drawing.truth_and_prediction(image, truth, predicted, ["a", "b"], RED_AND_GREEN, opacity=1)
    middle = panel.shape[0] // 2
    assert panel[middle, 10].tolist() == [255, 0, 0]
    assert panel[middle, -10].tolist() == [0, 255, 0]


def test_a_legend_wraps_to_its_width_and_shows_each_colour():
    names, palette = [f"class {i}" for i in range(19)], [[i * 10, 0, 255] for i in range(19)]
    narrow, wide = (drawing.legend(names, palette, width) for width in (200, 2000))
    assert narrow.shape[1] == 200
    assert narrow.shape[0] > wide.shape[0]
    for color in palette:
        assert (narrow == color).all(axis=2).any()
