"""TIFF files larger than the memory: read by tiles, segmented by tiles, written by tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from semseg.atomic import atomic_path
from semseg.inference.predictor import Predictor

_TILE_PX = 256
_KEPT_BYTES = 256 << 20  # of decoded pieces: the next row of windows overlaps with the last one
_OVERVIEW_PX = 2048
_PLACE_TAGS = (33550, 33922, 34264, 34735, 34736, 34737)  # GeoTIFF: where on the earth the picture lies


class TiffImage:
    """The first picture of a TIFF file, of which only what is asked for is read.

    Args:
        path: RGB or RGBA (transparency is dropped) or grey, 8 bits, of any size.

    Attributes:
        shape: height, width, 3.
        place: the tags that say where on the earth it lies, as `tifffile` takes them; empty if none do.

    Raises:
        ValueError: `tifffile` is missing, or the file holds something else.
    """

    def __init__(self, path: str | Path) -> None:
        tifffile = _tifffile()
        self._path = Path(path)
        try:
            self._file = tifffile.TiffFile(path)
            page = self._page = self._file.pages[0]
        except (tifffile.TiffFileError, IndexError) as error:
            raise ValueError(f"{path} is not a readable TIFF file ({error})") from error
        kind = getattr(page.photometric, "name", page.photometric)
        plane_by_plane = page.planarconfig == 2
        if page.dtype != np.uint8 or kind not in ("RGB", "MINISBLACK", "YCBCR") or plane_by_plane:
            how = " plane by plane" if plane_by_plane else ""
            self._file.close()
            raise ValueError(f"{path} holds {kind} of {page.dtype}{how}; by tiles, RGB or grey of 8 bits can be read")
        self.shape = (page.imagelength, page.imagewidth, 3)
        # a piece: a tile, or a strip of whole rows
        self._piece = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
        self._pieces: dict[int, np.ndarray] = {}
        tags = [page.tags[code] for code in _PLACE_TAGS if code in page.tags]
        self.place = [(tag.code, tag.dtype, tag.count, tag.value, True) for tag in tags]

    def __enter__(self) -> TiffImage:
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def __getitem__(self, where: tuple[slice, slice]) -> np.ndarray:
        """Read a window: RGB, uint8, shape (height, width, 3).

        Raises:
            ValueError: a part of the file cannot be read.
        """
        (top, bottom, _), (left, right, _) = (part.indices(side) for part, side in zip(where, self.shape, strict=False))
        height, width = self._piece
        found = np.empty((bottom - top, right - left, 3), np.uint8)
        for row in range(top // height, -(-bottom // height)):
            for column in range(left // width, -(-right // width)):
                piece = self._decoded(row * -(-self.shape[1] // width) + column)
                y, x = row * height, column * width
                rows = slice(max(top, y), min(bottom, y + height))
                columns = slice(max(left, x), min(right, x + width))
                found[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = piece[
                    rows.start - y : rows.stop - y, columns.start - x : columns.stop - x
                ]
        return found

    def _decoded(self, index: int) -> np.ndarray:
        if index in self._pieces:
            return self._pieces[index]
        page, file = self._page, self._file.filehandle
        file.seek(page.dataoffsets[index])
        raw = file.read(page.databytecounts[index])
        try:
            piece = page.decode(raw, index, jpegtables=page.jpegtables)[0]
        except Exception as error:  # of every kind, from the decoders
            raise ValueError(f"{self._path}: piece {index} cannot be read ({error})") from error
        if piece is None:  # a hole in a sparse file
            piece = np.zeros((*self._piece, 1), np.uint8)
        piece = piece[0]
        self._pieces[index] = np.repeat(piece, 3, axis=2) if piece.shape[2] < 3 else piece[:, :, :3]
        while len(self._pieces) > 1 and len(self._pieces) * self._pieces[index].nbytes > _KEPT_BYTES:
            del self._pieces[next(iter(self._pieces))]  # the oldest one
        return self._pieces[index]


class TiffSegmentation(NamedTuple):
    """What was found in a TIFF file.

    Attributes:
        shape: of the picture: height, width.
        counts: pixels per train id, int64, shape (256,).
        confidence: the mean over the pixels, 0 to 1; None if the model has none.
        overview: the picture made small, RGB, uint8, shape (height, width, 3), at most 2048 pixels a side.
        overview_train_ids: uint8, in its size.
    """

    shape: tuple[int, int]
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

    The mask is a tiled, compressed BigTIFF of train ids with the palette inside, and appears when it is whole. A
    GeoTIFF gives it its place on the earth.

    Args:
        predictor: with a `tile`.
        image_path: of the picture, see `TiffImage`.
        mask_path: of the train ids; replaced.
        on_progress: is told which share of the rows has just been done.

    Raises:
        ValueError: the file cannot be read, or the predictor has no `tile`.
    """
    tifffile = _tifffile()
    palette = np.zeros((3, 256), np.uint16)
    palette[:, : len(predictor.palette)] = np.transpose(predictor.palette) * np.uint16(257)  # 16 bits
    counts = np.zeros(256, np.int64)
    sure = 0
    with TiffImage(image_path) as image, atomic_path(Path(mask_path)) as temporary:
        height, width = image.shape[:2]
        step = -(-max(height, width) // _OVERVIEW_PX)
        # in one piece from the start: rows kept one by one would lie scattered over the memory, and keep it all
        overview_train_ids = np.empty((-(-height // step), -(-width // step)), np.uint8)
        overview = np.empty((*overview_train_ids.shape, 3), np.uint8)

        def rows() -> Iterator[np.ndarray]:
            nonlocal sure
            top = 0
            for part in predictor.predict_rows(image, confidence=predictor.has_probabilities):
                np.add(counts, np.bincount(part.train_ids.ravel(), minlength=256), out=counts)
                sure += 0 if part.confidence is None else int(part.confidence.sum(dtype=np.int64))
                bottom = top + len(part.train_ids)
                for row in range(-(-top // step) * step, bottom, step):
                    strip = image[row : row + step, :]
                    size = (overview.shape[1], 1)
                    overview[row // step] = cv2.resize(strip, size, interpolation=cv2.INTER_AREA)
                    overview_train_ids[row // step] = part.train_ids[row - top, ::step]
                on_progress((bottom - top) / height)
                top = bottom
                yield part.train_ids

        tifffile.imwrite(
            temporary,
            _tiles(rows(), width),
            shape=(height, width),
            dtype=np.uint8,
            tile=(_TILE_PX, _TILE_PX),
            photometric="palette",
            colormap=palette,
            compression="zlib",
            bigtiff=True,
            metadata=None,
            extratags=image.place,
        )
    confidence = sure / (255 * height * width) if predictor.has_probabilities else None
    return TiffSegmentation((height, width), counts, confidence, overview, overview_train_ids)


def _tiles(bands: Iterable[np.ndarray], width: int) -> Iterator[np.ndarray]:
    """Cut rows into square tiles, from left to right and from top to bottom; those at the edge are filled up."""
    held = np.empty((0, width), np.uint8)
    for band in bands:
        held = np.concatenate([held, band])
        while len(held) >= _TILE_PX:
            yield from _row_of_tiles(held[:_TILE_PX])
            held = held[_TILE_PX:]
    if len(held):
        yield from _row_of_tiles(held)


def _row_of_tiles(rows: np.ndarray) -> Iterator[np.ndarray]:
    for left in range(0, rows.shape[1], _TILE_PX):
        tile = np.zeros((_TILE_PX, _TILE_PX), np.uint8)
        part = rows[:, left : left + _TILE_PX]
        tile[: part.shape[0], : part.shape[1]] = part
        yield tile


def _tifffile():
    try:
        import tifffile
    except ImportError:
        raise ValueError("large TIFF files need tifffile, which is not installed: pip install -e '.[tiff]'") from None
    return tifffile
