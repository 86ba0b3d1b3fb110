import numpy as np

from semseg.visualization import charts

PALETTE = [[200, 0, 0], [0, 150, 0], [255, 255, 255]]


def test_bars_have_the_colours_of_their_classes_and_a_rarer_class_a_shorter_one():
    chart = charts.draw_class_shares([0.9, 0.1, 0], [1, 0.5, 0], ["a", "b", "c"], PALETTE, 0.2, "title")
    assert chart.dtype == np.uint8
    left = chart[:, : chart.shape[1] // 2]
    red, green = ((left == color).all(axis=2).sum() for color in PALETTE[:2])
    assert red > green > 0


def test_one_class_and_nothing_labelled_can_be_drawn():
    for share in (1, 0):
        chart = charts.draw_class_shares([share], [share], ["only"], PALETTE[:1], 1 - share, "title")
        assert (chart == PALETTE[0]).all(axis=2).any() == bool(share)


def test_a_share_has_two_significant_digits():
    shown = [charts._format_percent(share) for share in (1, 0.999, 0.28, 0.04, 0.00032, 0)]
    assert shown == ["100 %", "100 %", "28 %", "4.0 %", "0.032 %", "0 %"]


def test_a_point_that_another_one_beats_is_grey():
    def blue_pixels(scores):
        costs = {"cost": [1, 10, 100]}
        chart = charts.draw_tradeoff({"score": (costs, scores, ["a", "b", "c"])})
        return int((np.abs(chart.astype(int) - (0, 0x72, 0xB2)).sum(axis=2) < 40).sum())

    assert blue_pixels([1, 2, 3]) > blue_pixels([3, 2, 1]) > 0  # three points in a line; the first one alone
