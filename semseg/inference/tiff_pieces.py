"""Read windows of TIFF files of any size, piece by piece: tiles or strips, one band after the other or not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semseg.datasets.bands import Bands, check_numbers
from semseg.datasets.stored_bands import Stored, band_pages, read_header
from semseg.errors import InvalidInputError
from semseg.inference.mask_files import import_tifffile

_CACHE_BYTES = 256 << 20  # of decoded pieces: rows of windows overlap, and need some pieces twice


class TiffPieces:
    """Decodes the tiles or strips of pages of a TIFF file when they are needed, and keeps the last ones.

    Args:
        file: of tifffile.
        pages: of one size; their bands follow each other.
        fill: the value of a piece that is not stored, in a sparse file of GDAL.

    Attributes:
        size: of the picture: height, width.
    """

    def __init__(self, file: Any, pages: Sequence[Any], fill: float) -> None:
        page = pages[0]
        self._file, self._pages, self._fill = file, pages, fill
        self.size = (page.imagelength, page.imagewidth)
        # a piece: a tile, or a strip of whole rows
        self._piece = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
        self._pieces: dict[tuple[int, int], np.ndarray] = {}

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Read a window with all bands: shape (height, width, bands).

        Raises:
            ValueError: a part of the file cannot be read.
        """
        top, bottom, _ = rows.indices(self.size[0])
        left, right, _ = columns.indices(self.size[1])
        height, width = self._piece
        across, down = -(-self.size[1] // width), -(-self.size[0] // height)
        windows = []
        for number, page in enumerate(self._pages):
            by_planes = page.planarconfig == 2 and page.samplesperpixel > 1
            for plane in range(page.samplesperpixel if by_planes else 1):
                stored = np.empty((bottom - top, right - left, 1 if by_planes else page.samplesperpixel), page.dtype)
                for row in range(top // height, -(-bottom // height)):
                    for column in range(left // width, -(-right // width)):
                        piece = self._decoded(number, (plane * down + row) * across + column)
                        y, x = row * height, column * width
                        ys = slice(max(top, y), min(bottom, y + height))
                        xs = slice(max(left, x), min(right, x + width))
                        stored[ys.start - top : ys.stop - top, xs.start - left : xs.stop - left] = piece[
                            ys.start - y : ys.stop - y, xs.start - x : xs.stop - x
                        ]
                windows.append(stored)
        return windows[0] if len(windows) == 1 else np.concatenate(windows, axis=2)

    def _decoded(self, number: int, index: int) -> np.ndarray:
        key = (number, index)
        if key in self._pieces:
            return self._pieces[key]
        page, file = self._pages[number], self._file.filehandle
        file.seek(page.dataoffsets[index])
        raw = file.read(page.databytecounts[index])
        try:
            piece = page.decode(raw, index, jpegtables=page.jpegtables)[0]
        except Exception as error:  # decoders raise many types
            raise InvalidInputError(f"piece {index} cannot be read ({error})", code="E-input-unreadable") from error
        if piece is None:  # not stored in a sparse file: GDAL fills it with the value of no data
            bands = 1 if page.planarconfig == 2 else page.samplesperpixel
            piece = np.full((1, *self._piece, bands), self._fill, page.dtype)
        self._pieces[key] = piece[0]
        while len(self._pieces) > 1 and len(self._pieces) * self._pieces[key].nbytes > _CACHE_BYTES:
            del self._pieces[next(iter(self._pieces))]  # the oldest one
        return self._pieces[key]


class TiffBands:
    """The bands of a TIFF file that a model reads, in windows; see `TiffImage`.

    Args:
        path: with any number of bands, of any size.
        bands: of the model.
        exif: see `read_stored`.

    Attributes:
        shape: height, width, number of channels.
        is_deep: True.

    Raises:
        ValueError: it is of another kind, or lacks a band.
    """

    is_deep = True

    def __init__(self, path: str | Path, bands: Bands, exif: str = "apply") -> None:
        self._bands, self._header = bands, read_header(Path(path), exif)
        check_numbers(bands.bands, self._header)
        self._file = open_tiff(path)
        self._pieces = TiffPieces(self._file, band_pages(self._file), self._fill())
        self.shape = (*self._pieces.size, bands.num_channels)

    def _fill(self) -> float:
        """Return the value of pieces that are not stored: that of no data, if a pixel can have it."""
        nodata, dtype = self._header.nodata, self._header.dtype
        if nodata is None or dtype.kind == "f":
            return nodata or 0
        fits = dtype.kind in "ui" and np.iinfo(dtype).min <= nodata <= np.iinfo(dtype).max
        return int(nodata) if fits else 0

    def __enter__(self) -> TiffBands:
        return self

    def __exit__(self, *_: Any) -> None:
        self._file.close()

    def __getitem__(self, where: tuple[slice, slice]) -> np.ndarray:
        """Read a window: float32, shape (height, width, channels), 0 to 255."""
        return self._bands.convert(Stored(self._pieces.read(*where), self._header)).image

    def nodata(self, rows: slice) -> np.ndarray:
        """Return which pixels of whole rows have no data in any channel: bool, shape (rows, width)."""
        values = self._pieces.read(rows, slice(None))
        nodata = self._bands.convert(Stored(values, self._header)).nodata
        return np.zeros(values.shape[:2], bool) if nodata is None else nodata

    def show(self, window: np.ndarray) -> np.ndarray:
        """Return a window for people: RGB, uint8, shape (height, width, 3)."""
        return self._bands.show(window)


def open_tiff(path: str | Path) -> Any:
    """Open a file by tifffile.

    Raises:
        ValueError: tifffile is not installed, or it is no TIFF file.
    """
    tifffile = import_tifffile("large TIFF files are read by")
    try:
        file = tifffile.TiffFile(path)
        file.pages[0]
    except (tifffile.TiffFileError, IndexError) as error:
        raise InvalidInputError(f"not a readable TIFF file ({error})", code="E-input-unreadable") from error
    return file
