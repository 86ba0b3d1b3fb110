"""Read one photograph of any kind, and what its metadata say about place and time."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from semseg.datasets.bands import Bands
from semseg.datasets.photographs import MAX_PIXELS, TooManyPixelsError, decode_photograph
from semseg.datasets.tiff_data_mask import mark_masked
from semseg.inference.georeference import Place, find_place

__all__ = ["MAX_PIXELS", "Photograph", "TooManyPixelsError", "read_image", "read_photograph"]

_DATE_TIME, _EXIF_IFD, _GPS_IFD, _DATE_TIME_ORIGINAL = 0x0132, 0x8769, 0x8825, 0x9003


class Photograph(NamedTuple):
    """A photograph, and where and when it was taken if its metadata say so.

    Attributes:
        image: RGB, uint8, shape (height, width, 3); of a model with `bands` float32, shape (height, width, channels).
        latitude: in degrees, north is positive; None if unknown.
        longitude: in degrees, east is positive.
        time: of the camera's clock, such as 2024-05-01T12:30:00; empty if unknown.
        nodata: True where there is no data (transparent, GDAL_NODATA, or the mask of a TIFF), bool, shape (height,
            width); None if there is no such pixel.
        place: where the pixels are on the earth; None if neither the file nor a world file beside it says so.
        is_deep: whether the file stores 16 bits.
        shown: of a model with `bands`, the picture for people: RGB, uint8, shape (height, width, 3).
    """

    image: np.ndarray
    latitude: float | None = None
    longitude: float | None = None
    time: str = ""
    nodata: np.ndarray | None = None
    place: Place | None = None
    is_deep: bool = False
    shown: np.ndarray | None = None

    @property
    def rgb(self) -> np.ndarray:
        """The picture for people: RGB, uint8, shape (height, width, 3)."""
        return self.image if self.shown is None else self.shown


def read_photograph(
    source: str | Path | bytes,
    exif: str = "apply",
    max_pixels: int = MAX_PIXELS,
    bits: int | None = None,
    bands: Bands | None = None,
) -> Photograph:
    """Read a photograph and its metadata; see `decode_photograph`.

    Args:
        source: a path, or the content of a file.
        exif: `apply` rotates it by its EXIF orientation, `ignore` keeps it as stored.
        max_pixels: larger images are not decoded.
        bits: how many are in use of the 16 of a value, in a file that stores 16.
        bands: of the model, if it does not read RGB.

    Raises:
        TooManyPixelsError: it is larger than `max_pixels`.
        ValueError: it cannot be read; the message is one sentence without the path.
    """
    capture = _Capture()

    def read_metadata(image: Image.Image) -> None:
        nonlocal capture
        capture = _read_capture(image)

    source = source if isinstance(source, bytes) else Path(source)
    if bands is not None:
        picture = bands.read(source, exif, max_pixels)
        place = None if isinstance(source, bytes) else find_place(source, "ignore")  # it is upright
        shown = bands.show(picture.image)
        return Photograph(picture.image, nodata=picture.nodata, place=place, is_deep=True, shown=shown)
    pixels = mark_masked(decode_photograph(source, exif, bits, max_pixels, on_open=read_metadata), source)
    place = None if isinstance(source, bytes) else find_place(source, exif)
    return Photograph(pixels.image, *capture, pixels.nodata, place, pixels.depth is not None)


def read_image(path: str | Path, exif: str = "apply", bits: int | None = None) -> np.ndarray:
    """Read the pixels of a photograph: RGB, uint8, shape (height, width, 3); see `read_photograph`.

    Raises:
        ValueError: it cannot be read.
    """
    return read_photograph(path, exif, bits=bits).image


class _Capture(NamedTuple):
    """Where and when a photograph was taken, see `Photograph`."""

    latitude: float | None = None
    longitude: float | None = None
    time: str = ""


def _read_capture(image: Image.Image) -> _Capture:
    """Return what the EXIF data say."""
    try:
        exif = image.getexif()
        gps = exif.get_ifd(_GPS_IFD)
        latitude = _degrees(gps.get(2), gps.get(1), 90)
        longitude = _degrees(gps.get(4), gps.get(3), 180)
        if latitude is None or longitude is None:
            latitude = longitude = None
        stamp = str(exif.get_ifd(_EXIF_IFD).get(_DATE_TIME_ORIGINAL) or exif.get(_DATE_TIME) or "").strip("\0 ")
    except Exception:  # broken metadata raise many types, and the pixels are good
        return _Capture()
    try:
        return _Capture(latitude, longitude, datetime.strptime(stamp, "%Y:%m:%d %H:%M:%S").isoformat())
    except ValueError:
        return _Capture(latitude, longitude)


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
