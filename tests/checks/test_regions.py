"""The check of regions of interest."""

import numpy as np
from PIL import Image

from tests.checks.sets import SIZE, check_set, write_set


def write_regions(here, num_images=4, **changes):
    """Write a set with regions that leave out the first row, where its ignored pixels are."""
    (here / "roi").mkdir(exist_ok=True)
    inside = np.full(SIZE[::-1], 255, np.uint8)
    inside[0] = 0
    for number in range(num_images):
        Image.fromarray(inside).save(here / f"roi/{number:02}.png")
    splits = {"train": {"images": "images/train", "masks": "masks/train", "roi": "roi"}}
    return write_set(here, {"train": num_images}, splits=splits, **changes)


def test_a_set_with_regions_has_no_finding(here):
    assert check_set(write_regions(here)) == {}


def test_missing_and_surplus_regions_are_reported(here):
    path = write_regions(here)
    (here / "roi/01.png").rename(here / "roi/other.png")
    lines = check_set(path)
    assert "1 of 4 images have no region of interest, first x/images/train/01.png" in lines["images-without-roi"]
    assert lines["images-without-roi"].startswith("error train: ")
    assert "1 of 4 regions of interest have no image and are left out, first x/roi/other.png" in str(lines)


def test_regions_of_another_size_broken_and_empty_ones_are_reported(here):
    path = write_regions(here)
    Image.new("L", (4, 3), 1).save(here / "roi/00.png")
    (here / "roi/01.png").write_bytes(b"")
    Image.new("L", SIZE).save(here / "roi/02.png")
    lines = check_set(path)
    assert "first x/roi/00.png (4x3, its image 00.png 48x32)" in lines["roi-sizes"]
    assert "x/roi/01.png" in lines["unreadable"]
    assert "1 of 3 regions of interest are 0 everywhere" in lines["roi-empty"]


def test_only_pixels_inside_count_as_labelled(here):
    path = write_regions(here)
    for mask in (here / "masks/train").iterdir():
        values = np.full(SIZE[::-1], 255, np.uint8)
        values[0] = 1
        Image.fromarray(values).save(mask)
    assert "all pixels of 4 masks are ignored (255)" in check_set(path)["all-ignored"]


def test_values_outside_of_a_region_need_a_rule_too(here):
    path = write_regions(here)
    mask = here / "masks/train/00.png"
    values = np.array(Image.open(mask))
    values[0, 0] = 77
    Image.fromarray(values).save(mask)
    assert "77" in str(check_set(path))
