"""Masks as files: a PNG, or a TIFF file where the picture is one that has a place on the earth."""

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
    """Write train ids with the colours of the classes, and where on the earth they lie.

    Args:
        path: ends with `.png` or `.tif`.
        train_ids: uint8, shape (height, width); 255 without data.
        palette: RGB, shape (num_classes, 3).
        place: of the picture.

    Raises:
        ValueError: a TIFF file is asked for, and `tifffile` is not installed.
    """
    if path.suffix == ".png":
        write_index_png(path, train_ids, palette)
    else:
        write_tiff_mask(path, [train_ids], train_ids.shape, palette, place)
    write_world_file(path, place)


def write_tiff_mask(
    path: Path, bands: Iterable[np.ndarray], size: tuple[int, int], palette: Sequence, place: Place | None = None
) -> None:
    """Write a mask that need not fit into memory: a tiled, compressed BigTIFF, which appears when it is whole.

    Args:
        path: of the file; replaced.
        bands: rows of train ids from top to bottom, uint8, shape (rows, width).
        size: of the mask: height, width.
        palette: RGB, shape (num_classes, 3).
        place: of the picture on the earth; the mask gets its tags.

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
        what: needs it: the beginning of a sentence.

    Raises:
        ValueError: it is not installed.
    """
    try:
        import tifffile
    except ImportError:
        raise InvalidInputError(f"{what} tifffile, which is not installed: pip install -e '.[tiff]'") from None
    return tifffile


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
