"""Write masks: as PNG, or as TIFF if the image is a TIFF file with a place on the earth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from semseg.datasets.index_png import write_index_png
from semseg.datasets.tiff_tags import GDAL_NODATA
from semseg.errors import InvalidInputError
from semseg.inference.georeference import Place, write_world_file
from semseg.labels import IGNORED
from semseg.system.atomic import atomic_path

_TILE_PX = 256
_TEXT = 2  # type of a TIFF tag


def write_mask(path: Path, train_ids: np.ndarray, palette: Sequence, place: Place | None = None) -> None:
    """Write train ids with the colours of the classes, and their place on the earth.

    Args:
        path: ends with `.png` or `.tif`.
        train_ids: uint8, shape (height, width); 255 without data.
        palette: RGB, shape (num_classes, 3).
        place: of the image.

    Raises:
        ValueError: the path ends with `.tif`, and `tifffile` is not installed.
    """
    if path.suffix == ".png":
        write_index_png(path, train_ids, palette)
    else:
        write_tiff_mask(path, [train_ids], (train_ids.shape[0], train_ids.shape[1]), palette, place)
    write_world_file(path, place)


def write_tiff_mask(
    path: Path, bands: Iterable[np.ndarray], size: tuple[int, int], palette: Sequence, place: Place | None = None
) -> None:
    """Write a mask that need not fit into memory, as a tiled, compressed BigTIFF; it appears when it is complete.

    Args:
        path: of the file; replaced.
        bands: rows of train ids from top to bottom, uint8, shape (rows, width).
        size: of the mask: height, width.
        palette: RGB, shape (num_classes, 3).
        place: of the image on the earth; the mask gets its tags.

    Raises:
        ValueError: `tifffile` is not installed.
    """
    tifffile = import_tifffile("a mask with a place on the earth is written by")
    colors = np.zeros((3, 256), np.uint16)
    colors[:, IGNORED] = 65535
    colors[:, : len(palette)] = np.transpose(palette) * np.uint16(257)  # 16 bits
    with atomic_path(path) as temporary:
        tifffile.imwrite(
            temporary,
            _tiles(bands, size[1]),
            shape=size,
            dtype=np.uint8,
            tile=(_TILE_PX, _TILE_PX),
            photometric="palette",
            colormap=colors,
            compression="zlib",
            bigtiff=True,
            metadata=None,
            extratags=[*(place.tags if place else ()), (GDAL_NODATA, _TEXT, 0, str(IGNORED), True)],
        )


def import_tifffile(what: str) -> ModuleType:
    """Return the module `tifffile`.

    Args:
        what: what needs it, as the beginning of a sentence for the message.

    Raises:
        ValueError: it is not installed.
    """
    try:
        import tifffile
    except ImportError:
        raise InvalidInputError(
            f"{what} tifffile, which is not installed: pip install -e '.[tiff]'", code="E-input-package"
        ) from None
    return tifffile


def _tiles(bands: Iterable[np.ndarray], width: int) -> Iterator[np.ndarray]:
    """Cut rows into square tiles, from left to right and from top to bottom; those at the edge are padded with 0."""
    rows = np.empty((0, width), np.uint8)
    for band in bands:
        rows = np.concatenate([rows, band])
        while len(rows) >= _TILE_PX:
            yield from _row_of_tiles(rows[:_TILE_PX])
            rows = rows[_TILE_PX:]
    if len(rows):
        yield from _row_of_tiles(rows)


def _row_of_tiles(rows: np.ndarray) -> Iterator[np.ndarray]:
    for left in range(0, rows.shape[1], _TILE_PX):
        tile = np.zeros((_TILE_PX, _TILE_PX), np.uint8)
        part = rows[:, left : left + _TILE_PX]
        tile[: part.shape[0], : part.shape[1]] = part
        yield tile
