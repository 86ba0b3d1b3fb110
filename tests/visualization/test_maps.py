import numpy as np
import pytest

from semseg.visualization import maps


def test_a_sheet_shows_low_dark_and_high_bright():
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (32, 1))
    sheet = maps.draw_heat_sheet({"": ramp}, "title", "scale", "magma")
    assert sheet.dtype == np.uint8
    row = sheet[sheet.shape[0] // 2, 100:800].mean(axis=1)
    assert row[0] < 60 < 120 < row[-1]
    assert (np.diff(row) > -6).all()


@pytest.mark.parametrize("num", [2, 7])
def test_a_sheet_of_several_maps_is_1600_wide(num):
    shown = {str(i): np.full((40, 30), i / num, np.float32) for i in range(num)}
    assert abs(maps.draw_heat_sheet(shown, "title", "scale", "viridis").shape[1] - 1600) <= 1


@pytest.mark.slow
def test_a_photograph_can_be_seen_under_the_colours():
    zero = np.zeros((20, 40), np.float32)
    photo = np.full((20, 40, 3), 255, np.uint8)
    dark, light = (
        maps.draw_heat_sheet({"": zero}, "t", "s", "inferno", image)[200, 300] for image in (0 * photo, photo)
    )
    assert int(light.min()) - int(dark.max()) > 100


def test_an_outline_changes_neither_the_given_picture_nor_the_inside():
    image = np.full((60, 60, 3), 100, np.uint8)
    region = np.zeros((60, 60), bool)
    region[20:40, 20:40] = True
    drawn = maps.outline_region(image, region)
    assert (image == 100).all()
    assert (drawn[20, 20:40] == 255).all()
    assert (drawn[25:35, 25:35] == 100).all()
    assert (drawn[:15] == 100).all()
