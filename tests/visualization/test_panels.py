import numpy as np
import pytest

from semseg.visualization import panels
from tests.conftest import raises

CLASSES, PALETTE = ["a", "b"], [[255, 0, 0], [0, 255, 0]]


def tiles_of(panel, height, width):
    """Cut photograph, truth, prediction and error map out of a panel."""
    gap = panel.shape[1] - 2 * width
    head = 2 * max(12, width // 40)
    tops, lefts = (head, 2 * head + height), (0, width + gap)
    return [panel[top : top + height, left : left + width] for top in tops for left in lefts]


def test_truth_is_on_the_left_and_prediction_on_the_right():
    image = np.zeros((64, 128, 3), np.uint8)
    truth, predicted = np.zeros((64, 128), np.uint8), np.ones((64, 128), np.uint8)
    panel = panels.draw_truth_and_prediction(image, truth, predicted, CLASSES, PALETTE, opacity=1)
    middle = panel.shape[0] // 2
    assert panel[middle, 10].tolist() == [255, 0, 0]
    assert panel[middle, -10].tolist() == [0, 255, 0]


def test_a_panel_holds_photograph_truth_prediction_and_error_map_in_full_size():
    image = np.random.default_rng(0).integers(0, 256, (40, 260, 3), np.uint8)
    target, predicted = np.zeros((2, 40, 260), np.uint8)
    predicted[:10] = 1
    panel = panels.draw_panel(image, target, predicted, CLASSES, PALETTE, opacity=1)
    photograph, truth, prediction, errors = tiles_of(panel, 40, 260)
    np.testing.assert_array_equal(photograph, image)
    assert (truth == [255, 0, 0]).all()
    assert (prediction[:10] == [0, 255, 0]).all() and (prediction[10:] == [255, 0, 0]).all()
    np.testing.assert_array_equal(errors, panels.draw_error_map(image, target, predicted, 2))
    foot = panel[2 * (24 + 40) :]
    for color in (*PALETTE, panels.WRONG):
        assert (foot == color).all(axis=2).any()  # in the legend


def test_the_error_map_shows_wrong_pixels_in_one_colour_right_ones_faint_and_ignored_ones_dark():
    image = np.random.default_rng(0).integers(0, 256, (30, 60, 3), np.uint8)
    target, predicted = np.zeros((2, 30, 60), np.uint8)
    predicted[:, 20:40] = 1
    predicted[:, 38:40] = 255  # of no class
    target[:, 40:] = 255
    errors = panels.draw_error_map(image, target, predicted, 2)
    assert (errors[:, 20:40] == panels.WRONG).all()
    right, ignored = errors[:, :20], errors[:, 40:]
    assert (right == right[..., :1]).all() and (ignored == ignored[..., :1]).all()  # grey
    assert right.min() >= 140 and 140 < right.max() < 250
    assert (ignored == 200).any()
    assert ignored[ignored != 200].max() < 90


def test_the_caption_says_how_much_is_wrong():
    target = np.zeros((4, 10), np.uint8)
    predicted = target.copy()
    predicted[0, :3] = 1
    assert panels.format_error_caption(target, predicted, 2) == "wrong: 7.5 % of the labelled pixels"
    target[2:] = 255
    assert panels.format_error_caption(target, predicted, 2) == "wrong: 15.0 % of the labelled pixels"
    assert panels.format_error_caption(np.full_like(target, 255), predicted, 2) == "wrong: nothing is labelled"


@pytest.mark.parametrize("shape", [(1, 1), (300, 20), (7, 1000)])
def test_pictures_of_any_shape_have_a_panel(shape):
    target = np.full(shape, 255, np.uint8)
    panel = panels.draw_panel(np.zeros((*shape, 3), np.uint8), target, target, CLASSES, PALETTE)
    assert panel.shape[0] > 2 * shape[0] and panel.shape[1] > 2 * shape[1]


def test_sizes_that_differ_are_an_error():
    image, target = np.zeros((2, 2, 3), np.uint8), np.zeros((3, 3), np.uint8)
    with raises("E-input-sizes", r"\(2, 2\).* \(3, 3\).* \(3, 3\)"):
        panels.draw_error_map(image, target, target, 2)
