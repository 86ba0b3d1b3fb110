"""Segment TIFF files that are larger than the memory: they are read, segmented and written by tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from semseg.datasets.bit_depth import check_highest, scale_to_8_bits
from semseg.datasets.photograph_kind import read_kind
from semseg.errors import InvalidInputError
from semseg.inference.georeference import find_place, write_world_file
from semseg.inference.mask_files import import_tifffile, write_tiff_mask
from semseg.inference.prediction import without_nodata
from semseg.inference.predictor import Predictor
from semseg.inference.tiff_pieces import TiffBands, TiffPieces, open_tiff
from semseg.labels import IGNORED

_OVERVIEW_PX = 2048


class TiffImage:
    """The first image of a TIFF file, of which windows are read when they are needed.

    Args:
        path: RGB or grey, with or without transparency, of 8 or 16 bits, of any size.
        bits: how many are in use of the 16 of a value, in a file that stores 16.

    Attributes:
        shape: height, width, 3.
        is_deep: whether it stores 16 bits.

    Raises:
        ValueError: `tifffile` is not installed, or the file is of another kind.
    """

    def __init__(self, path: str | Path, bits: int | None = None) -> None:
        import_tifffile("large TIFF files are read by")
        with Path(path).open("rb") as file:
            self._kind = read_kind(file)
        if self._kind.refusal:
            raise InvalidInputError(self._kind.refusal, code="E-input-unreadable")
        self._file = open_tiff(path)
        page = self._file.pages[0]
        color = getattr(page.photometric, "name", page.photometric)
        self._bits = bits or self._kind.stated_bits
        plane_by_plane = page.planarconfig == 2 and page.samplesperpixel > 1
        fault, code = "", "E-input-unreadable"
        if page.dtype not in (np.uint8, np.uint16) or color not in ("RGB", "MINISBLACK", "YCBCR") or plane_by_plane:
            how = " plane by plane" if plane_by_plane else ""
            fault = f"holds {color} of {page.dtype}{how}; by tiles, RGB or grey of 8 or 16 bits can be read"
        elif page.dtype == np.uint16 and self._bits is None:
            fault = "stores 16 bits; by tiles, say with `bits` how many of them are in use, such as 12, or 16 for all"
            code = "E-input-bits"
        if fault:
            self._file.close()
            raise InvalidInputError(fault, code=code)
        self.is_deep = page.dtype == np.uint16
        self.shape = (page.imagelength, page.imagewidth, 3)
        self._pieces = TiffPieces(self._file, [page], self._kind.nodata or 0)
        mask_page = self._kind.mask_page
        self._mask = None if mask_page is None else TiffPieces(self._file, [self._file.pages[mask_page]], 0)

    def __enter__(self) -> TiffImage:
        return self

    def __exit__(self, *_: Any) -> None:
        self._file.close()

    def __getitem__(self, where: tuple[slice, slice]) -> np.ndarray:
        """Read a window: RGB, uint8, shape (height, width, 3).

        Raises:
            ValueError: a part of the file cannot be read.
        """
        values, nodata = self._values(*where)
        if values.dtype == np.uint16:
            assert self._bits is not None  # checked when the file was opened
            check_highest(int(values[~nodata].max(initial=0)), self._bits)
            values = scale_to_8_bits(values, self._bits)
        return np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values

    def nodata(self, rows: slice) -> np.ndarray:
        """Return which pixels of whole rows have no data: bool, shape (rows, width)."""
        return self._values(rows, slice(None))[1]

    def _values(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Read the stored values of a window, shape (height, width, 1 or 3), and which pixels have no data."""
        stored = self._pieces.read(rows, columns)
        values = stored[..., : self._kind.bands]
        nodata = np.zeros(stored.shape[:2], bool)
        if self._kind.has_alpha:
            nodata |= stored[..., -1] == 0
        if self._kind.nodata is not None:
            nodata |= (values == self._kind.nodata).all(axis=2)
        if self._mask is not None:
            nodata |= self._mask.read(rows, columns)[..., 0] == 0
        return values, nodata

    def show(self, window: np.ndarray) -> np.ndarray:
        """Return a window for people: it is RGB already."""
        return window


class TiffSegmentation(NamedTuple):
    """The result of `segment_tiff`.

    Attributes:
        shape: of the image: height, width.
        is_deep: whether it stores 16 bits.
        counts: pixels per train id, int64, shape (256,).
        confidence: the mean over the pixels with data, 0 to 1; None if there are none, or the model has no confidence.
        overview: the image reduced to at most 2048 pixels a side, RGB, uint8, shape (height, width, 3).
        overview_train_ids: uint8, in the size of the overview.
    """

    shape: tuple[int, int]
    is_deep: bool
    counts: np.ndarray
    confidence: float | None
    overview: np.ndarray
    overview_train_ids: np.ndarray


def segment_tiff(
    predictor: Predictor,
    image_path: str | Path,
    mask_path: str | Path,
    on_progress: Callable[[float], None] = lambda share: None,
) -> TiffSegmentation:
    """Segment a TIFF file that need not fit into memory.

    The mask is a TIFF file, see `write_tiff_mask`, with the same place on the earth as the image.

    Args:
        predictor: with a `tile`.
        image_path: of the image, see `TiffImage`.
        mask_path: of the train ids; replaced.
        on_progress: called with the share of the rows that was done since the last call.

    Raises:
        ValueError: the file cannot be read, or the predictor has no `tile`.
    """
    counts = np.zeros(256, np.int64)
    confidence_sum = 0.0
    place = find_place(Path(image_path), predictor.exif)
    bands = predictor.bands
    with TiffBands(image_path, bands, predictor.exif) if bands else TiffImage(image_path, predictor.bits) as image:
        height, width = image.shape[:2]
        step = -(-max(height, width) // _OVERVIEW_PX)
        # allocated at the start: single rows that are kept would fragment the memory, and none of it would be freed
        overview_train_ids = np.empty((-(-height // step), -(-width // step)), np.uint8)
        overview = np.empty((*overview_train_ids.shape, 3), np.uint8)

        def rows() -> Iterator[np.ndarray]:
            nonlocal confidence_sum
            top = 0
            for part in predictor.predict_rows(image, confidence=predictor.has_probabilities):
                part = without_nodata(part, image.nodata(slice(top, top + len(part.train_ids))))
                np.add(counts, np.bincount(part.train_ids.ravel(), minlength=256), out=counts)
                confidence_sum += 0 if part.confidence is None else float(part.confidence.sum(dtype=np.float64))
                bottom = top + len(part.train_ids)
                for row in range(-(-top // step) * step, bottom, step):
                    strip = image.show(image[row : row + step, :])
                    size = (overview.shape[1], 1)
                    overview[row // step] = cv2.resize(strip, size, interpolation=cv2.INTER_AREA)
                    overview_train_ids[row // step] = part.train_ids[row - top, ::step]
                on_progress((bottom - top) / height)
                top = bottom
                yield part.train_ids

        write_tiff_mask(Path(mask_path), rows(), (height, width), predictor.palette, place)
    write_world_file(Path(mask_path), place)
    num_valid = height * width - counts[IGNORED]
    confidence = float(confidence_sum / num_valid) if predictor.has_probabilities and num_valid else None
    return TiffSegmentation((height, width), image.is_deep, counts, confidence, overview, overview_train_ids)
