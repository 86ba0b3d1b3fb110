"""The mask in a TIFF file that says which pixels have data."""

import struct

import numpy as np
import pytest

from semseg.datasets.photograph_kind import read_kind
from semseg.datasets.photographs import decode_photograph
from semseg.datasets.tiff_data_mask import mark_masked
from tests.conftest import raises

tifffile = pytest.importorskip("tifffile")
IMAGE = np.full((20, 30, 3), 200, np.uint8)
DATA = np.zeros((20, 30), bool)  # one bit a pixel
DATA[5:, 7:] = True


def write(path, bigtiff=False, orientation=1, overviews=(IMAGE[::2, ::2], DATA[::2, ::2]), masks=(DATA,)):
    extra = [(274, "H", 1, orientation, True)] if orientation != 1 else []
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as writer:
        writer.write(IMAGE, photometric="rgb", extratags=extra, metadata=None)
        for picture, kind in zip(overviews, (1, 5), strict=False):  # a smaller picture, and its mask
            writer.write(picture, photometric="rgb" if kind == 1 else "minisblack", subfiletype=kind, metadata=None)
        for mask in masks:
            writer.write(mask, photometric="minisblack", subfiletype=4, metadata=None)
    return path


@pytest.mark.parametrize("bigtiff", [False, True])
def test_the_mask_of_the_first_picture_is_used_and_no_mask_of_an_overview(tmp_path, bigtiff):
    path = write(tmp_path / "a.tif", bigtiff)
    for source in (path, path.read_bytes()):
        pixels = mark_masked(decode_photograph(source), source)
        assert np.array_equal(pixels.nodata, ~DATA)
    path = write(tmp_path / "b.tif", bigtiff, masks=())
    assert mark_masked(decode_photograph(path), path).nodata is None
    path = write(tmp_path / "c.tif", bigtiff, masks=[np.ones_like(DATA)])
    assert mark_masked(decode_photograph(path), path).nodata is None


def test_a_turned_picture_with_a_mask_is_an_error(tmp_path):
    path = write(tmp_path / "a.tif", orientation=3)
    with raises("E-data-image-kind", r"is turned by its orientation \(3\)"):
        mark_masked(decode_photograph(path), path)


def test_a_damaged_chain_of_pictures_does_not_hide_the_first_one(tmp_path):
    path = write(tmp_path / "a.tif", overviews=(), masks=())
    content = bytearray(path.read_bytes())
    (start,) = struct.unpack_from("<I", content, 4)
    after = start + 2 + 12 * struct.unpack_from("<H", content, start)[0]
    for following in (start, len(content) + 100):  # a circle; beyond the end of the file
        struct.pack_into("<I", content, after, following)
        path.write_bytes(content)
        with path.open("rb") as file:
            kind = read_kind(file)
        assert (kind.bands, kind.bits, kind.mask_page) == (3, 8, None)
