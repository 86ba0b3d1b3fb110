"""One photograph of any kind, as the model takes it."""

from __future__ import annotations

import io
import math
import stat
import threading
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 178_956_970
"""Above this Pillow suspects a decompression bomb: 512 MB as RGB."""

_ORIENTATION, _DATE_TIME, _EXIF_IFD, _GPS_IFD, _DATE_TIME_ORIGINAL = 0x0112, 0x0132, 0x8769, 0x8825, 0x9003
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1")
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP", "AVIF", "JPEG2000", "HEIF")  # EPS would run Ghostscript
_opening = threading.Lock()


class TooManyPixelsError(ValueError):
    """A picture is larger than was allowed."""


class Photograph(NamedTuple):
    """A photograph, and where and when it was taken, if it says so.

    Attributes:
        image: RGB, uint8, shape (height, width, 3).
        latitude: in degrees, north is positive; None if unknown.
        longitude: in degrees, east is positive.
        time: such as 2024-05-01T12:30:00, as the camera's clock had it; empty if unknown.
    """

    image: np.ndarray
    latitude: float | None
    longitude: float | None
    time: str


def read_photograph(source: str | Path | bytes, exif: str = "apply", max_pixels: int = MAX_PIXELS) -> Photograph:
    """Read a photograph with Pillow, since OpenCV accepts truncated files.

    16 bits become the upper 8, transparency is dropped, of several pictures in one file the first is taken.

    Args:
        source: a path, or what a file holds; one of the formats above, the suffix need not fit. HEIC needs the plugin
            pillow-heif.
        exif: `apply` turns it upright by its EXIF orientation, `ignore` takes it as stored
            (TIFF is turned all the same: Pillow does so).
        max_pixels: more are not decoded.

    Raises:
        TooManyPixelsError: it is larger than `max_pixels`.
        ValueError: it cannot be read: one sentence without the path, whatever is wrong with the file.
    """
    try:
        with _open(source if isinstance(source, bytes) else Path(source)) as image:
            width, height = max(image.size, _tile_size(image), key=math.prod)
            if width * height > max_pixels:
                raise TooManyPixelsError(f"{width}x{height} are more pixels than --max-pixels {max_pixels}")
            image.load()
            taken = _taken(image)
            return Photograph(pixels_of(image, exif), *taken)
    except Exception as error:  # a hostile file makes decoders raise anything
        if isinstance(error, OSError) and error.strerror:
            raise ValueError(error.strerror.lower()) from error
        if isinstance(error, UnidentifiedImageError):
            empty = len(source) == 0 if isinstance(source, bytes) else Path(source).stat().st_size == 0
            raise ValueError("not a readable image (the file is empty)" if empty else "not a readable image") from error
        known = isinstance(error, ValueError) and not isinstance(error, UnicodeError)
        if isinstance(error, TooManyPixelsError):
            raise
        raise ValueError(str(error) if known else f"not a readable image ({error or type(error).__name__})") from error


def picture_size(path: str | Path) -> tuple[int, int] | None:
    """Return height and width by the head of a file; None if it cannot be read."""
    try:
        with _open(Path(path)) as image:
            return image.size[::-1]
    except Exception:  # a hostile file makes decoders raise anything; whoever reads it says so
        return None


def read_image(path: str | Path, exif: str = "apply") -> np.ndarray:
    """Read the pixels of a photograph: RGB, uint8, shape (height, width, 3); see `read_photograph`.

    Raises:
        ValueError: it cannot be read.
    """
    return read_photograph(path, exif).image


def pixels_of(image: Image.Image, exif: str = "apply") -> np.ndarray:
    """Return the pixels of a picture that Pillow has opened: RGB, uint8, shape (height, width, 3).

    Raises:
        ValueError: it holds other values than those of 8 or 16 bits.
    """
    return np.asarray(_to_rgb(_upright(image) if exif == "apply" else image))


def _open(source: Path | bytes) -> Image.Image:
    """Open an image of any size, without decoding it."""
    if isinstance(source, Path):
        mode = source.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ValueError("is a directory")
        if not stat.S_ISREG(mode):
            raise ValueError("not a file")  # a pipe would be waited for
    with _opening:
        bound, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # ours is in the hands of the caller
        try:
            return _identified(source)
        except UnidentifiedImageError:
            with _stream(source) as file:
                head = file.read(12)
            if head[4:8] != b"ftyp" or head[8:] not in _HEIC_BRANDS:
                raise
            try:
                import pillow_heif
            except ImportError:
                raise ValueError("HEIC is read with pillow-heif: pip install -e '.[heic]'") from None
            pillow_heif.register_heif_opener()
            return _identified(source)
        finally:
            Image.MAX_IMAGE_PIXELS = bound


def _identified(source: Path | bytes) -> Image.Image:
    Image.init()  # not every Pillow has every format
    return Image.open(
        _stream(source) if isinstance(source, bytes) else source,
        formats=[name for name in _FORMATS if name in Image.OPEN],
    )


def _stream(source: Path | bytes) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _tile_size(image: Image.Image) -> tuple[int, int]:
    """Return what is decoded at once of a TIFF file: it may be far more than the picture."""
    tags = getattr(image, "tag_v2", {})
    return tags.get(_TILE_WIDTH, 0), tags.get(_TILE_HEIGHT, 0)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # the metadata is broken, the picture is not
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    """Return the picture in 8 bits per channel, as OpenCV does it in training."""
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.size and (values.min() < 0 or values.max() > 65535):
            raise ValueError(f"holds values from {values.min()} to {values.max()}; expected 8 or 16 bits")
        return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("holds floating-point values; expected 8 or 16 bits")
    return image.convert("RGB")


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
