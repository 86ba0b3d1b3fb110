"""Windows of a TIFF file have the values of the whole, however it is stored."""

import numpy as np
import pytest
import tifffile

from semseg.datasets.bands import Bands
from semseg.inference.tiff_pieces import TiffBands
from tests.conftest import raises

BANDS = Bands((4, 1), ((0, 60000), (0, 30000)), (1, 2))
VALUES = np.random.default_rng(0).integers(1, 65535, (37, 53, 4)).astype(np.uint16)
LAYOUTS = {
    "tiles": {"planarconfig": "contig", "tile": (16, 16)},
    "tiles band by band": {"planarconfig": "separate", "tile": (16, 16), "compression": "zlib"},
    "strips band by band": {"planarconfig": "separate", "rowsperstrip": 5},
    "strips": {"planarconfig": "contig", "rowsperstrip": 5, "compression": "lzw", "predictor": 2},
    "pages": None,
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_window_is_a_part_of_the_whole(tmp_path, layout):
    planes = np.moveaxis(VALUES, 2, 0)
    planar = layout is None or layout["planarconfig"] == "separate"
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for pages in planes if layout is None else [planes if planar else VALUES]:
            writer.write(pages, photometric="minisblack", metadata=None, **(layout or {}))
    whole = BANDS.read(tmp_path / "a.tif").image
    with TiffBands(tmp_path / "a.tif", BANDS) as image:
        assert image.shape == (37, 53, 2)
        for top, bottom, left, right in ((0, 37, 0, 53), (15, 33, 3, 20), (36, 37, 52, 53)):
            window = image[top:bottom, left:right]
            np.testing.assert_array_equal(window, whole[top:bottom, left:right])
        assert not image.nodata(slice(0, 9)).any()
        assert image.show(image[0:2, 0:3]).shape == (2, 3, 3)


def test_a_file_without_the_band_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", VALUES[..., 0])
    with raises("E-data-bands", "band 4"):
        TiffBands(tmp_path / "a.tif", BANDS)
