import cv2
import numpy as np
import pytest

from semseg.datasets import lazy_pictures
from semseg.datasets.lazy_pictures import LazyPicture

RANDOM = np.random.default_rng(0)
PARTS = [(0, 9, 0, 9), (3, 8, 5, 40), (0, 1, 0, 1), (5, 500, 7, 500)]  # top, bottom, left, right; the last is cut off


def noise(*shape):
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("size", [(20, 30), (61, 83), (97, 41), (122, 166), (7, 300)])  # of pictures of 61x83
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_part_is_that_of_the_scaled_picture(size, channels):
    picture = noise(61, 83, *channels)
    for nearest, most in ((True, 0), (False, 1)):
        method = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
        expected = cv2.resize(picture, size[::-1], interpolation=method)
        lazy = LazyPicture(picture, nearest=nearest).scaled(size)
        assert lazy.shape == expected.shape
        for top, bottom, left, right in PARTS:
            part, whole = lazy[top:bottom, left:right], expected[top:bottom, left:right]
            assert part.shape == whole.shape and part.dtype == np.uint8 and part.flags.c_contiguous
            assert np.abs(part.astype(int) - whole).max() <= most


@pytest.mark.parametrize("factor", RANDOM.uniform(0.5, 2, 12))
def test_masks_are_equal_at_any_scale(factor):
    mask = noise(201, 333)
    size = int(201 * factor + 0.5), int(333 * factor + 0.5)
    expected = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST)
    assert np.array_equal(LazyPicture(mask, size, nearest=True), expected)


def test_a_picture_that_is_not_scaled_is_its_source():
    picture = noise(20, 30, 3)
    assert np.array_equal(LazyPicture(picture)[4:10, 5:], picture[4:10, 5:])
    assert np.array_equal(LazyPicture(picture)[4:10, 5:, ...], picture[4:10, 5:, ...])  # as RandomCrop does


def test_a_picture_is_scaled_twice():
    mask = noise(20, 30)
    once = cv2.resize(mask, (15, 10), interpolation=cv2.INTER_NEAREST)
    twice = cv2.resize(once, (45, 30), interpolation=cv2.INTER_NEAREST)
    assert np.array_equal(LazyPicture(mask, nearest=True).scaled((10, 15)).scaled((30, 45)), twice)


def test_nothing_is_an_empty_part():
    assert LazyPicture(noise(20, 30, 3), (40, 60))[50:60, :].shape == (0, 0, 3)


def test_values_are_compared_as_those_of_an_array():
    mask = noise(20, 30) % 3
    assert np.array_equal(LazyPicture(mask, nearest=True) == 1, mask == 1)


def test_only_the_pixels_of_the_part_are_read():
    read = []

    class Recorded:
        shape = (1000, 2000, 3)

        def __getitem__(self, part):
            read.append([one.stop - one.start for one in part])
            return np.zeros((*read[-1], 3), np.uint8)

    LazyPicture(Recorded(), (500, 1000))[100:150, 200:300]
    assert read == [[105, 205]]


def test_parts_that_are_too_large_to_warp_are_scaled_as_a_whole():
    strip = noise(3, 33_000, 3)
    expected = cv2.resize(strip, (66_000, 6), interpolation=cv2.INTER_LINEAR)
    lazy = LazyPicture(strip, (6, 66_000))
    assert np.array_equal(lazy, expected)
    assert np.abs(lazy[1:5, 40_000:40_100].astype(int) - expected[1:5, 40_000:40_100]).max() <= 1


def test_an_opencv_that_warps_less_exactly_scales_the_whole_picture(monkeypatch):
    monkeypatch.setattr(lazy_pictures, "_warp_is_exact", lambda: False)
    picture = noise(61, 83, 3)
    expected = cv2.resize(picture, (120, 90), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(LazyPicture(picture, (90, 120))[10:50, 20:90], expected[10:50, 20:90])
