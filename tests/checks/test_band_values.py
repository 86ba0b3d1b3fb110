"""The check of a set with `bands` names pictures that lack one, and counts values outside the range."""

import numpy as np
import tifffile

from semseg.checks.dataset import check_dataset_file
from tests.datasets.drawn_bands import SIZE, draw, write_set, write_tiff16


def check_set(path):
    return {finding.code: finding for finding in check_dataset_file(path).findings}


def test_a_good_set_has_no_finding(tmp_path):
    for kind in ("tiff16", "npy", "three"):
        assert check_set(write_set(tmp_path / kind, kind)) == {}


def test_missing_bands_and_other_numbers_of_bands_are_named(tmp_path):
    path = write_set(tmp_path, "three")
    tifffile.imwrite(tmp_path / "images/train/0.tif", np.zeros(SIZE, np.uint16))
    write_tiff16(tmp_path / "images/train/1.tif", draw(0, 5, np.uint16, 10000)[0])
    findings = check_set(path)
    assert findings["image-kind"].kind == "error"
    assert "1 of 4" in findings["image-kind"].message
    assert "has 1 band, and bands: [4, 3, 2] needs band 4" in findings["image-kind"].message
    assert "4 in 2, 5 in 1" in findings["image-bands"].message


def test_values_outside_the_range_are_counted(tmp_path):
    path = write_set(tmp_path, "tiff16", range=[0, 8500])
    findings = check_set(path)
    values = np.concatenate([draw(seed, 4, np.uint16, 10000)[0].ravel() for seed in range(6)])
    counts = [int(finding.message.split(" above")[0].split()[-1]) for finding in check_dataset_file(path).findings]
    assert sum(counts) == np.count_nonzero(values > 8500)
    assert "0 values lie below" in findings["image-range"].message
    assert check_set(write_set(tmp_path / "b", "tiff16", range=[0, 3000]))["image-range"].kind == "warning"


def test_sizes_of_masks_are_compared(tmp_path):
    path = write_set(tmp_path, "npy")
    np.save(tmp_path / "images/val/0.npy", np.zeros((SIZE[0] + 2, SIZE[1], 6)))
    assert "64x48" in check_set(path)["sizes"].message


def test_a_damaged_picture_is_named(tmp_path):
    path = write_set(tmp_path, "npy")
    picture = tmp_path / "images/val/0.npy"
    picture.write_bytes(picture.read_bytes()[:-8])
    assert "0.npy" in check_set(path)["unreadable"].message
