import numpy as np

from semseg.visualization import drawing
from tests.conftest import raises

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
    with raises("E-input-sizes", r"\(2, 2\) .*\(3, 3\)"):
        drawing.overlay(np.zeros((2, 2, 3), np.uint8), np.zeros((3, 3), np.uint8), RED_AND_GREEN)


def test_a_legend_wraps_to_its_width_and_shows_each_colour():
    names, palette = [f"class {i}" for i in range(19)], [[i * 10, 0, 255] for i in range(19)]
    narrow, wide = (drawing.draw_legend(names, palette, width) for width in (200, 2000))
    assert narrow.shape[1] == 200
    assert narrow.shape[0] > wide.shape[0]
    for color in palette:
        assert (narrow == color).all(axis=2).any()


def test_hatching_darkens_marked_pixels_only():
    image = np.full((12, 12, 3), 90, np.uint8)
    marked = np.zeros((12, 12), bool)
    marked[:, :6] = True
    hatched = drawing.hatch(image, marked, period_px=6)
    assert (hatched[:, 6:] == 90).all()
    assert set(np.unique(hatched[:, :6])) == {30, 200}  # dimmed, and stripes
    assert image.min() == 90  # untouched


def test_hatching_a_grey_picture_does_the_same():
    grey = np.random.default_rng(0).integers(0, 256, (30, 40), np.uint8)
    marked = np.random.default_rng(1).random((30, 40)) < 0.5
    hatched = drawing.hatch(np.repeat(grey[..., None], 3, axis=2), marked)
    np.testing.assert_array_equal(drawing.hatch(grey, marked), hatched[..., 0])


def test_a_contact_sheet_shows_pictures_of_any_shape_and_the_classes_that_occur():
    shapes = [(60, 80), (100, 50), (30, 200), (700, 900), (8, 8)]
    samples = [
        drawing.Sample(np.zeros((*shape, 3), np.uint8), np.full(shape, train_id, np.uint8), f"{train_id}.png")
        for train_id, shape in zip([0, 0, 255, 0, 0], shapes, strict=True)
    ]
    names, palette = ["a", "b"], [[0, 200, 0], [0, 0, 255]]
    sheet = drawing.draw_contact_sheet(samples, names, palette, "title", width=700, opacity=1)
    assert sheet.shape[1] == 700
    assert (sheet == [0, 200, 0]).all(axis=2).sum() > 10000
    assert not (sheet == [0, 0, 255]).all(axis=2).any()  # b occurs nowhere, not in the legend either
    assert (sheet == 200).all(axis=2).any()  # stripes over the ignored picture


def test_a_contact_sheet_of_nothing_is_an_error():
    with raises("E-input-empty"):
        drawing.draw_contact_sheet([], ["a"], [[1, 2, 3]], "title")


def test_a_long_name_is_shortened_in_the_middle():
    sample = drawing.Sample(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), "x" * 500 + ".png")
    sheet = drawing.draw_contact_sheet([sample] * 4, ["a"], [[0, 200, 0]], "", width=400)
    assert (sheet[:, :4] == 255).all()  # the margins stay free
    assert (sheet[:, -4:] == 255).all()
