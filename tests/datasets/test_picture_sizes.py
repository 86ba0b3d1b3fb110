"""The sizes of a set are read from a sample of its headers."""

import numpy as np
import pytest
from PIL import Image

from semseg.datasets import picture_sizes
from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.picture_sizes import Picture, sample_pictures
from tests.config.test_dataset_files import write_set


def test_sizes_bands_and_bits_are_those_of_the_files(tmp_path):
    path = write_set(tmp_path, size=(64, 48))
    Image.fromarray(np.zeros((30, 20), np.uint16)).save(tmp_path / "photos/train/002.png")
    assert sample_pictures([read_dataset_file(path)], ("train",)) == [Picture(64, 48, 3, 8), Picture(20, 30, 1, 16)]


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize(("exif", "size"), [("apply", (48, 64)), ("ignore", (64, 48))])
def test_exif_turns_a_picture_as_in_training(tmp_path, exif, size, suffix):
    path = write_set(tmp_path, count=1, splits=("train",), exif=exif, image_suffix=suffix)
    (tmp_path / "photos/train/001.png").unlink()
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (64, 48)).save(tmp_path / f"photos/train/001{suffix}", exif=turned)
    (picture,) = sample_pictures([read_dataset_file(path)], ("train",))
    assert picture[:2] == size


def test_what_cannot_be_read_is_left_to_the_check(tmp_path):
    path = write_set(tmp_path, splits=("val",))
    (tmp_path / "photos/val/001.png").write_bytes(b"no picture")
    rules = read_dataset_file(path)
    assert sample_pictures([rules], ("train", "val")) == [Picture(64, 48, 3, 8)]
    assert sample_pictures([rules], ("train",)) == []
    (tmp_path / "photos/val").rename(tmp_path / "moved")
    assert sample_pictures([rules], ("val",)) == []


def test_a_sample_holds_each_set_as_often_as_its_share(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_sizes, "_MOST_READ", 4)
    sizes = {"many": (12, (8, 8)), "few": (1, (9, 9))}
    sets = [write_set(tmp_path / name, ("train",), count, size) for name, (count, size) in sizes.items()]
    pictures = sample_pictures([read_dataset_file(path) for path in sets], ("train",))
    assert [picture.width for picture in pictures] == [8, 8, 8, 9]  # every fourth of 13, and one of each set at least
