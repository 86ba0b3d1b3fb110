"""Regions of interest: masks that say which part of a picture counts; all pixels outside are ignored.

An example is the field of view of a microscope or of a retinal camera: a round picture in a black rectangle.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from semseg.datasets.image_files import read_mask
from semseg.errors import InvalidDataError
from semseg.labels import IGNORED

_DARK, _LIGHT = 64, 192  # channels below and from here on count as black and white, in a palette


def read_roi(path: str | Path, exif: str = "apply") -> np.ndarray:
    """Read a region of interest: bool, shape (height, width); True inside.

    Args:
        path: a mask; 0 is outside, any other value is inside. In a mask with colours, black is outside.
        exif: `apply` turns it upright by its EXIF orientation, `ignore` takes it as stored.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is not an image, damaged, or a kind of image whose values are not clear.
    """
    return decode_roi(read_mask(path, exif), str(path))


def decode_roi(image: Image.Image, name: str) -> np.ndarray:
    """Turn an opened region of interest into bool, shape (height, width); True inside.

    Args:
        image: as PIL opened it.
        name: for messages.

    Raises:
        ValueError: as in `read_roi`.
    """
    if image.format == "JPEG":
        raise InvalidDataError(
            f"{name} is a JPEG, which changes values near edges; export the region of interest as PNG",
            code="E-data-encoding",
        )
    if is_inverted(image):
        raise InvalidDataError(
            f"{name} stores 0 for white, and 0 is outside of a region of interest; convert it to greyscale",
            code="E-data-encoding",
        )
    if image.mode == "RGB":
        return np.asarray(image).max(axis=2) != 0
    if len(image.getbands()) > 1 or image.mode == "F":
        raise InvalidDataError(
            f"{name} is {image.mode}, not a region of interest: a mask of one channel, or black and white RGB",
            code="E-data-encoding",
        )
    return np.asarray(image) != 0


def is_inverted(image: Image.Image) -> bool:
    """Return whether a palette picture of black and white stores 0 for white and 1 for black."""
    palette = image.getpalette("RGB") if image.mode == "P" else None
    if not palette or len(palette) < 6:
        return False
    return min(palette[:3]) >= _LIGHT and max(palette[3:6]) < _DARK


def ignore_outside(train_ids: np.ndarray, roi_path: str | Path, exif: str, owner: object) -> np.ndarray:
    """Return train ids with 255 outside of a region of interest.

    Args:
        train_ids: uint8, shape (height, width); not changed.
        roi_path: the region of interest.
        exif: as in `read_roi`.
        owner: the mask or the photograph that the region belongs to, for the message.

    Raises:
        FileNotFoundError, ValueError: as in `read_roi`; or the sizes differ.
    """
    inside = read_roi(roi_path, exif)
    if inside.shape != train_ids.shape:
        (height, width), (mask_height, mask_width) = inside.shape, train_ids.shape
        raise InvalidDataError(
            f"the region of interest {roi_path} is {width}x{height}, and {owner} is {mask_width}x{mask_height}; regions"
            " are drawn at the size of their image",
            code="E-data-size",
        )
    return np.where(inside, train_ids, np.uint8(IGNORED))
