"""Chains of pictures by time and place, and reading both from files."""

import pytest

from semseg.datasets.file_facts import read_image_facts
from semseg.datasets.groups.capture import Capture, chain, distance_m, time_of_name
from tests.datasets.groups.drives import exif, other


def test_a_gap_of_more_than_a_minute_begins_a_new_group():
    assert chain([Capture(float(second)) for second in (0, 60, 120, 181, 200)]) == [0, 0, 0, 1, 1]


def test_clocks_of_two_cameras_are_not_compared():
    assert chain([Capture(0.0, (), "A"), Capture(1.0, (), "B"), Capture(2.0, (), "A")]) == [0, 1, 0]


def test_a_time_or_place_that_all_pictures_have_says_nothing():
    assert chain([Capture(5.0, (48.0, 9.0))] * 3) == [0, 1, 2]


def test_places_within_25_metres_are_linked_also_across_cells():
    step = 20 / 111_320  # 20 m to the north
    places = [(48.0 + number * step, 9.0) for number in range(6)] + [(48.01, 9.0)]
    assert chain([Capture(None, place) for place in places]) == [0] * 6 + [1]
    assert chain([Capture(None, (60.0, 9 + number * 0.0004)) for number in range(4)]) == [0] * 4  # 22 m to the east
    assert chain([Capture(None, (60.0, 9 + number * 0.0006)) for number in range(4)]) == [0, 1, 2, 3]  # 33 m


def test_the_same_second_in_two_cities_is_not_one_group():
    assert chain([Capture(0.0, (48.0, 9.0)), Capture(1.0, (52.0, 9.0))]) == [0, 1]


def test_the_date_line_is_no_distance():
    assert distance_m((0.0, 179.9999), (0.0, -179.9999)) == pytest.approx(22.264)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_time_place_and_camera_are_read_from_the_header(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    other(0).save(path, exif=exif("2024:05:01 12:00:30", (-33.5, 151.25), "DC-1"))
    facts = read_image_facts(path, deep=False)
    assert (facts.taken, facts.camera) == (1714564830.0, "DC-1")
    assert facts.place == pytest.approx((-33.5, 151.25))


@pytest.mark.parametrize("taken", ["0000:00:00 00:00:00", "yesterday", "2024:13:40 25:00:00"])
def test_a_senseless_time_counts_as_unknown(tmp_path, taken):
    other(0).save(tmp_path / "a.jpg", exif=exif(taken))
    assert read_image_facts(tmp_path / "a.jpg", deep=False).taken is None


@pytest.mark.parametrize(
    "name", ["20240501_120030", "IMG_20240501_120030", "PXL_20240501_120030123", "2024-05-01 12.00.30"]
)
def test_date_and_time_in_a_name_are_a_time(name):
    assert time_of_name(name) == 1714564830.0


@pytest.mark.parametrize("name", ["0016E5_05640", "2011_09_26_drive_0005", "20241301_120000", "2007_000032"])
def test_other_numbers_are_not(name):
    assert time_of_name(name) is None
