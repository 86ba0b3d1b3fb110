"""One photograph of any kind, as the model takes it."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from semseg.datasets.photographs import MAX_PIXELS, TooManyPixelsError, decode_photograph
from semseg.inference.georeference import Place, find_place

__all__ = ["MAX_PIXELS", "Photograph", "TooManyPixelsError", "read_image", "read_photograph"]

_DATE_TIME, _EXIF_IFD, _GPS_IFD, _DATE_TIME_ORIGINAL = 0x0132, 0x8769, 0x8825, 0x9003


class Photograph(NamedTuple):
    """A photograph, and where and when it was taken, if it says so.

    Attributes:
        image: RGB, uint8, shape (height, width, 3).
        latitude: in degrees, north is positive; None if unknown.
        longitude: in degrees, east is positive.
        time: such as 2024-05-01T12:30:00, as the camera's clock had it; empty if unknown.
        nodata: True where there is no data (transparent, or GDAL_NODATA), bool, shape (height, width); None if there
            is no such pixel.
        place: where each pixel lies on the earth; None if neither the file nor a world file beside it says so.
        is_deep: whether the file stores 16 bits.
    """

    image: np.ndarray
    latitude: float | None = None
    longitude: float | None = None
    time: str = ""
    nodata: np.ndarray | None = None
    place: Place | None = None
    is_deep: bool = False


def read_photograph(
    source: str | Path | bytes, exif: str = "apply", max_pixels: int = MAX_PIXELS, bits: int | None = None
) -> Photograph:
    """Read a photograph, and what it says of itself; see `decode_photograph`.

    Args:
        source: a path, or what a file holds.
        exif: `apply` turns it upright by its EXIF orientation, `ignore` takes it as stored.
        max_pixels: more are not decoded.
        bits: how many are in use of the 16 of a value, where the file stores 16.

    Raises:
        TooManyPixelsError: it is larger than `max_pixels`.
        ValueError: it cannot be read: one sentence without the path, whatever is wrong with the file.
    """
    taken = []
    source = source if isinstance(source, bytes) else Path(source)
    pixels = decode_photograph(source, exif, bits, max_pixels, on_open=lambda image: taken.extend(_taken(image)))
    place = None if isinstance(source, bytes) else find_place(source, exif)
    return Photograph(pixels.image, *taken, pixels.nodata, place, pixels.depth is not None)


def read_image(path: str | Path, exif: str = "apply", bits: int | None = None) -> np.ndarray:
    """Read the pixels of a photograph: RGB, uint8, shape (height, width, 3); see `read_photograph`.

    Raises:
        ValueError: it cannot be read.
    """
    return read_photograph(path, exif, bits=bits).image


def _taken(image: Image.Image) -> tuple[float | None, float | None, str]:
    """Return latitude, longitude and time out of the EXIF."""
    try:
        exif = image.getexif()
        gps = exif.get_ifd(_GPS_IFD)
        latitude = _degrees(gps.get(2), gps.get(1), 90)
        longitude = _degrees(gps.get(4), gps.get(3), 180)
        if latitude is None or longitude is None:
            latitude = longitude = None
        stamp = str(exif.get_ifd(_EXIF_IFD).get(_DATE_TIME_ORIGINAL) or exif.get(_DATE_TIME) or "").strip("\0 ")
    except Exception:  # the metadata is broken, the picture is not
        return None, None, ""
    try:
        return latitude, longitude, datetime.strptime(stamp, "%Y:%m:%d %H:%M:%S").isoformat()
    except ValueError:
        return latitude, longitude, ""


def _degrees(parts: tuple | None, side: str | None, bound: int) -> float | None:
    """Return degrees, minutes and seconds as degrees; south and west are negative."""
    if not parts or len(parts) != 3 or side not in ("N", "S", "E", "W"):
        return None
    try:
        degrees = sum(float(part) / 60**i for i, part in enumerate(parts))
    except ZeroDivisionError:
        return None
    if not math.isfinite(degrees) or abs(degrees) > bound:
        return None
    return -degrees if side in "SW" else degrees
