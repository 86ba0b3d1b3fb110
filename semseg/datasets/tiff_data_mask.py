"""The mask in a TIFF file that says which pixels have data; GDAL writes one where JPEG leaves no room for a band."""

from __future__ import annotations

import io
from pathlib import Path

from semseg.datasets import tiff_tags
from semseg.datasets.photograph_kind import read_kind
from semseg.datasets.photographs import Pixels
from semseg.datasets.stored_bands import import_tifffile
from semseg.errors import InvalidDataError


def mark_masked(pixels: Pixels, source: Path | bytes) -> Pixels:
    """Return a photograph whose pixels that are 0 in the mask of its file have no data.

    Args:
        pixels: of the photograph.
        source: its path, or the content of the file.

    Raises:
        ValueError: the mask cannot be read, `tifffile` is not installed, or the photograph is turned by its
            orientation.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        index = read_kind(file).mask_page
        if index is None:
            return pixels
        tifffile = import_tifffile("The mask of pixels without data in a TIFF file")
        try:
            with tifffile.TiffFile(file) as tiff:
                orientation = tiff.pages[0].tags.get(tiff_tags.ORIENTATION)
                masked = tiff.pages[index].asarray() == 0
        except Exception as error:  # decoders raise all kinds of exceptions for damaged files
            raise InvalidDataError(
                f"its mask of pixels without data cannot be read ({error})", code="E-data-unreadable"
            ) from error
    if orientation is not None and orientation.value != 1:
        raise InvalidDataError(
            f"has a mask of pixels without data and is turned by its orientation ({int(orientation.value)}); save it"
            " upright",
            code="E-data-image-kind",
        )
    if pixels.nodata is not None:
        masked = masked | pixels.nodata
    return pixels._replace(nodata=masked) if masked.any() else pixels
