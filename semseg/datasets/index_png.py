"""The only writer of index PNGs: one byte per pixel, the colours of the classes in the palette.

Pillow stores a palette picture with as few bits as its palette needs: with 16 colours or fewer, the value 255 (ignored)
would become 15, 3 or 1. Therefore the palette always has 256 entries here.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from semseg.errors import InvalidInputError
from semseg.labels import IGNORED
from semseg.system.atomic import atomic_path

_NUM_ENTRIES = 256


def index_image(train_ids: np.ndarray, palette: Sequence) -> Image.Image:
    """Return train ids as a palette picture of 8 bits.

    Args:
        train_ids: uint8, shape (height, width).
        palette: RGB, 0 to 255, shape (num_classes, 3), at most 256 classes. Entries without a class are black, 255 is
            white unless it is a class.

    Raises:
        ValueError: the palette or the array has a wrong shape, or the array a wrong type.
    """
    colors = np.asarray(palette, np.uint8)
    if colors.ndim != 2 or colors.shape[1] != 3 or len(colors) > _NUM_ENTRIES:
        raise InvalidInputError(
            f"the palette has shape {colors.shape}; expected (number of classes up to 256, 3)", code="E-input-value"
        )
    if train_ids.dtype != np.uint8 or train_ids.ndim != 2:
        raise InvalidInputError(
            f"train ids are {train_ids.dtype} of shape {train_ids.shape}; expected uint8, (height, width)",
            code="E-input-value",
        )
    entries = np.zeros((_NUM_ENTRIES, 3), np.uint8)
    entries[IGNORED] = 255
    entries[: len(colors)] = colors
    picture = Image.fromarray(train_ids)
    picture.putpalette(entries.tobytes())
    return picture


def write_index_png(path: Path, train_ids: np.ndarray, palette: Sequence, compress_level: int = 6) -> None:
    """Write train ids as an index PNG; the file appears complete or not at all. See `index_image`.

    Args:
        path: of the PNG; missing folders are created.
        train_ids: uint8, shape (height, width).
        palette: RGB, 0 to 255, shape (num_classes, 3).
        compress_level: 0 (none) to 9 (small and slow); 6 is the default of zlib.
    """
    encoded = io.BytesIO()  # in memory first: Pillow does not report why a file could not be written
    index_image(train_ids, palette).save(encoded, "PNG", compress_level=compress_level)
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.getbuffer())
