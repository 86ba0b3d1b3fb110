"""Every kind of file gives the values that were written, and what cannot be read right ends in one sentence."""

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from semseg.datasets.photographs import TooManyPixelsError
from semseg.datasets.stored_bands import read_header, read_stored
from tests.conftest import raises

HEIGHT, WIDTH = 20, 30


@pytest.fixture(scope="module")
def values():
    return np.random.default_rng(0).integers(0, 65535, (HEIGHT, WIDTH, 4)).astype(np.uint16)


TIFFS = {
    "pixel by pixel": {"planarconfig": "contig"},
    "band by band": {"planarconfig": "separate"},
    "tiles": {"planarconfig": "contig", "tile": (16, 16)},
    "tiles band by band": {"planarconfig": "separate", "tile": (16, 16), "compression": "zlib"},
    "LZW with a predictor": {"planarconfig": "contig", "compression": "lzw", "predictor": 2},
    "strips in BigTIFF": {"planarconfig": "contig", "rowsperstrip": 3, "bigtiff": True, "compression": "zstd"},
}


@pytest.mark.parametrize("options", TIFFS.values(), ids=TIFFS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_a_tiff_gives_what_was_written(tmp_path, values, options, dtype):
    stored = values.astype(dtype)
    planes = np.moveaxis(stored, 2, 0) if options["planarconfig"] == "separate" else stored
    if np.dtype(dtype).kind == "f" and "predictor" in options:
        options = {**options, "predictor": 3}
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="minisblack", **options)
    for source in (tmp_path / "a.tif", (tmp_path / "a.tif").read_bytes()):
        read = read_stored(source)
        assert read.values.dtype == dtype
        np.testing.assert_array_equal(read.values, stored)
    assert read_header(tmp_path / "a.tif")[:4] == (WIDTH, HEIGHT, 4, np.dtype(dtype))


def test_pages_of_one_band_each_are_bands(tmp_path, values):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for plane in np.moveaxis(values, 2, 0).astype(np.float32):
            writer.write(plane, photometric="minisblack", metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert len(file.pages) == 4
    np.testing.assert_array_equal(read_stored(tmp_path / "a.tif").values, values.astype(np.float32))


def test_an_overview_is_no_band(tmp_path, values):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(values[..., 0], photometric="minisblack")
        writer.write(values[::2, ::2, 0], photometric="minisblack", subfiletype=1)
    assert read_stored(tmp_path / "a.tif").values.shape == (HEIGHT, WIDTH, 1)


@pytest.mark.parametrize("num_bands", [1, 3, 4])
def test_a_png_gives_16_bits_in_the_order_of_its_bands(tmp_path, values, num_bands):
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[num_bands]
    cv2.imwrite(str(tmp_path / "a.png"), values[..., order])
    stored = read_stored(tmp_path / "a.png")
    np.testing.assert_array_equal(stored.values, values[..., :num_bands])
    assert stored.header.alpha == (3 if num_bands == 4 else None)


def test_grey_with_transparency_has_two_bands(tmp_path, values):
    Image.fromarray((values[..., :2] >> 8).astype(np.uint8), "LA").save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_stored(tmp_path / "a.png").values, values[..., :2] >> 8)


@pytest.mark.parametrize("axis", [0, 2])
def test_an_npy_file_may_begin_or_end_with_its_bands(tmp_path, values, axis):
    np.save(tmp_path / "a.npy", np.moveaxis(values, 2, axis))
    np.testing.assert_array_equal(read_stored(tmp_path / "a.npy").values, values)
    np.save(tmp_path / "b.npy", np.asfortranarray(values[..., 0]))
    np.testing.assert_array_equal(read_stored(tmp_path / "b.npy").values, values[..., :1])


def test_the_nodata_value_of_gdal_is_read(tmp_path, values):
    tifffile.imwrite(tmp_path / "a.tif", values[..., 0], extratags=[(42113, 2, 0, "-9999", True)])
    assert read_stored(tmp_path / "a.tif").header.nodata == -9999


def write_faulty(folder, values):
    np.save(folder / "object.npy", np.array([{1: 2}], object), allow_pickle=True)
    np.save(folder / "unclear.npy", np.zeros((3, 4, 3)))
    np.save(folder / "line.npy", np.zeros(7))
    np.save(folder / "long.npy", values)
    (folder / "cut.npy").write_bytes((folder / "long.npy").read_bytes()[:-10])
    tifffile.imwrite(folder / "complex.tif", values[..., 0].astype(np.complex64))
    tifffile.imwrite(folder / "turned.tif", values[..., 0], extratags=[(274, 3, 1, 6, True)])
    tifffile.imwrite(folder / "whole.tif", values, photometric="minisblack", planarconfig="contig")
    (folder / "cut.tif").write_bytes((folder / "whole.tif").read_bytes()[:-500])
    (folder / "empty.tif").write_bytes(b"")
    Image.fromarray(values[..., 0].astype(np.uint8)).convert("P").save(folder / "palette.png")


FAULTS = {
    "object.npy": ("E-data-image-kind", "plain numbers"),
    "unclear.npy": ("E-data-image-kind", r"\(3, 4, 3\)"),
    "line.npy": ("E-data-image-kind", r"\(7,\)"),
    "cut.npy": ("E-data-unreadable", "last value"),
    "complex.tif": ("E-data-image-kind", "complex64"),
    "turned.tif": ("E-data-image-kind", "orientation 6"),
    "cut.tif": ("E-data-unreadable", "not a readable picture"),
    "empty.tif": ("E-data-unreadable", "neither"),
    "palette.png": ("E-data-image-kind", "palette"),
    "missing.tif": ("E-data-unreadable", "not a file"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_be_read_right_is_refused(tmp_path, values, name):
    write_faulty(tmp_path, values)
    with raises(*FAULTS[name]) as caught:
        read_stored(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_turned_picture_is_taken_as_stored_if_the_set_says_so(tmp_path, values):
    write_faulty(tmp_path, values)
    np.testing.assert_array_equal(read_stored(tmp_path / "turned.tif", "ignore").values, values[..., :1])


def test_too_many_pixels_are_not_decoded(tmp_path, values):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(TooManyPixelsError, match="30x20"):
        read_stored(tmp_path / "a.npy", max_pixels=100)
