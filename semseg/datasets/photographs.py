"""The only reader of photographs: it turns the stored values of a file into RGB of 8 bits.

Training, testing, inference, the checks and everything that shows a photograph use it, so that a model gets the same
pixels everywhere. Only files that every decoder reads in the same way (`photograph_kind.is_plain`) may be decoded by
OpenCV directly.
"""

from __future__ import annotations

import io
import math
import stat
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from semseg.datasets.bit_depth import Depth, measure_depth, scale_to_8_bits, used_bits
from semseg.datasets.opencv_decoding import decode_by_opencv
from semseg.datasets.photograph_kind import PhotographKind, read_kind
from semseg.errors import InvalidDataError

MAX_PIXELS = 178_956_970
"""Above this Pillow suspects a decompression bomb: 512 MB as RGB."""
MOST_PIXELS = 1 << 30
"""OpenCV, which decodes in training, reads no larger pictures."""

PHOTOGRAPH_LOADERS = ("LoadImageFromFile", "LoadPhotograph")
"""Names of the transforms that load photographs in a config."""
RGB_COLOR_TYPES = ("color", "color_ignore_orientation")
"""Values of their `color_type` that give RGB of 8 bits; with the second one, EXIF does not turn photographs."""

_ORIENTATION = 0x0112  # EXIF tag
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1")
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP", "AVIF", "JPEG2000", "HEIF")  # EPS would run Ghostscript
_opening = threading.Lock()  # while Image.MAX_IMAGE_PIXELS is changed


class TooManyPixelsError(InvalidDataError):
    """A picture has more pixels than allowed."""

    code = "E-data-too-large"


class Pixels(NamedTuple):
    """A photograph in memory.

    Attributes:
        image: RGB, uint8, shape (height, width, 3).
        nodata: True where the file has no data (transparent pixels, or the value of GDAL_NODATA), bool, shape
            (height, width); None if there is no such pixel.
        depth: of a file of more than 8 bits.
    """

    image: np.ndarray
    nodata: np.ndarray | None = None
    depth: Depth | None = None


def decode_photograph(
    source: Path | bytes,
    exif: str = "apply",
    bits: int | None = None,
    max_pixels: int = MAX_PIXELS,
    on_open: Callable[[Image.Image], None] = lambda image: None,
) -> Pixels:
    """Decode a photograph; if a file holds several pictures, the first one.

    Args:
        source: a path, or the content of a file, in one of the formats above; the suffix does not matter. HEIC needs
            the plugin pillow-heif.
        exif: `apply` turns it upright by its EXIF orientation, `ignore` takes it as stored
            (except TIFF, which Pillow always turns).
        bits: how many of the 16 bits of a value are in use, if the file stores 16.
        max_pixels: larger pictures are not decoded.
        on_open: called with the picture that Pillow has opened and decoded.

    Raises:
        TooManyPixelsError: it has more than `max_pixels`.
        ValueError: it cannot be read, for any reason; the message is one sentence without the path.
    """
    try:
        with open_photograph(source) as (image, kind):
            width, height = max(image.size, _tile_size(image), key=math.prod)
            if width * height > max_pixels:
                raise TooManyPixelsError(f"{width}x{height} are more pixels than `max_pixels` {max_pixels}")
            image.load()
            on_open(image)
            stored = _deep_values(image, source) if kind.bits > 8 else None
            return pixels_of(image, exif, bits, kind, stored)
    except TooManyPixelsError:
        raise
    except Exception as error:  # decoders raise all kinds of exceptions for malicious files
        raise _as_data_error(error, source) from error


@contextmanager
def open_photograph(source: Path | bytes) -> Generator[tuple[Image.Image, PhotographKind]]:
    """Open an image of any size without decoding it, and read its header.

    Raises:
        ValueError: it is a folder, a pipe, or of an unsupported kind.
        OSError, UnidentifiedImageError: raised by the system or by Pillow.
    """
    if isinstance(source, Path):
        mode = source.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InvalidDataError("is a directory", code="E-data-unreadable")
        if not stat.S_ISREG(mode):
            raise InvalidDataError("not a file", code="E-data-unreadable")  # reading a pipe could block forever
    with _stream(source) as file:
        kind = read_kind(file)
        if kind.refusal:
            raise InvalidDataError(kind.refusal, code="E-data-image-kind")
        with _open_image(file) as image:
            yield image, kind


def pixels_of(
    image: Image.Image,
    exif: str = "apply",
    bits: int | None = None,
    kind: PhotographKind | None = None,
    stored: np.ndarray | None = None,
) -> Pixels:
    """Return the pixels of a picture that Pillow has opened.

    Args:
        image: of any mode.
        exif, bits: as in `decode_photograph`.
        kind: the facts of its header; None for a picture that does not come from a file.
        stored: its values, uint16, shape (height, width, bands), if Pillow keeps only 8 bits of them.

    Raises:
        ValueError: its values do not have 8 or 16 bits, or do not fit the bits in use.
    """
    kind = kind or PhotographKind()
    if stored is None and image.mode[0] in "IF":
        if image.mode == "F":
            raise InvalidDataError("holds floating-point values; expected 8 or 16 bits", code="E-data-image-kind")
        stored = np.asarray(image)
        if stored.size and (stored.min() < 0 or stored.max() > 65535):
            raise InvalidDataError(
                f"holds values from {stored.min()} to {stored.max()}; expected 8 or 16 bits", code="E-data-image-kind"
            )
        stored = stored.astype(np.uint16)[..., None]
    if stored is None:
        picture, nodata = image.convert("RGB"), _nodata_of(image, kind)
        depth = None
    else:
        values, nodata = stored[..., :3] if stored.shape[2] > 2 else stored[..., :1], None
        if stored.shape[2] in (2, 4):
            nodata = stored[..., -1] == 0
        nodata = _either(nodata, _equals(values, kind.nodata))
        depth = measure_depth(values, nodata, kind)
        scaled = scale_to_8_bits(values, used_bits(depth, kind.stated_bits, bits))
        picture = Image.fromarray(np.repeat(scaled, 3, axis=2) if scaled.shape[2] == 1 else scaled)
    turn = _find_turn(image) if exif == "apply" else None
    if turn is not None:
        picture = picture.transpose(turn)
        nodata = None if nodata is None else np.asarray(Image.fromarray(nodata).transpose(turn))
    return Pixels(np.asarray(picture), nodata if nodata is not None and nodata.any() else None, depth)


def _deep_values(image: Image.Image, source: Path | bytes) -> np.ndarray | None:
    """Return the values of bands of 16 bits: uint16, shape (height, width, bands).

    None where Pillow keeps all bits; of several bands of 16 bits it keeps only the upper 8.
    """
    if image.mode.startswith("I;16"):
        return None
    content = source if isinstance(source, bytes) else source.read_bytes()
    values = decode_by_opencv(content, cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.shape[:2] != image.size[::-1]:
        raise InvalidDataError(
            "not a readable image (its values of 16 bits cannot be decoded)", code="E-data-unreadable"
        )
    if values.ndim == 2:
        return values[..., None]
    return values[..., [2, 1, 0, 3][: values.shape[2]]]


def _nodata_of(image: Image.Image, kind: PhotographKind) -> np.ndarray | None:
    nodata = None
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        nodata = np.asarray(image.convert("RGBA").getchannel("A")) == 0
    if kind.nodata is not None:
        bands = np.asarray(image)
        bands = bands[..., None] if bands.ndim == 2 else bands[..., : kind.bands]
        nodata = _either(nodata, _equals(bands, kind.nodata))
    return nodata


def _equals(values: np.ndarray, nodata: int | None) -> np.ndarray | None:
    return None if nodata is None else (values == nodata).all(axis=2)


def _either(first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray | None:
    if first is None or second is None:
        return second if first is None else first
    return first | second


def _find_turn(image: Image.Image) -> Image.Transpose | None:
    """Return the transpose that turns a picture upright; a TIFF needs none, Pillow has turned it already."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # only the metadata is damaged
        return None
    kinds = Image.Transpose
    turns = {
        2: kinds.FLIP_LEFT_RIGHT,
        3: kinds.ROTATE_180,
        4: kinds.FLIP_TOP_BOTTOM,
        5: kinds.TRANSPOSE,
        6: kinds.ROTATE_270,
        7: kinds.TRANSVERSE,
        8: kinds.ROTATE_90,
    }
    return turns.get(orientation)


def _open_image(file: BinaryIO) -> Image.Image:
    """Open an image of any size; registers the plugin for HEIC when it is needed."""
    with _opening:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # the callers check the size
        try:
            return _open_known_format(file)
        except UnidentifiedImageError:
            file.seek(0)
            head = file.read(12)
            if head[4:8] != b"ftyp" or head[8:] not in _HEIC_BRANDS:
                raise
            try:
                import pillow_heif
            except ImportError:
                raise InvalidDataError(
                    "HEIC is read with pillow-heif: pip install -e '.[heic]'", code="E-data-package"
                ) from None
            pillow_heif.register_heif_opener()
            return _open_known_format(file)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _open_known_format(file: BinaryIO) -> Image.Image:
    Image.init()  # fills Image.OPEN; which formats it has depends on the build of Pillow
    file.seek(0)
    return Image.open(file, formats=[name for name in _FORMATS if name in Image.OPEN])


def _stream(source: Path | bytes) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _tile_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height of the tiles of a TIFF file, which may be far larger than the picture; (0, 0) without."""
    tags = getattr(image, "tag_v2", {})
    return tags.get(_TILE_WIDTH, 0), tags.get(_TILE_HEIGHT, 0)


def _as_data_error(error: Exception, source: Path | bytes) -> InvalidDataError:
    """Describe an exception of a decoder in one sentence without the path."""
    if isinstance(error, OSError) and error.strerror:
        return InvalidDataError(error.strerror.lower(), code="E-data-unreadable")
    if isinstance(error, UnidentifiedImageError):
        empty = len(source) == 0 if isinstance(source, bytes) else source.stat().st_size == 0
        return InvalidDataError(
            "not a readable image (the file is empty)" if empty else "not a readable image", code="E-data-unreadable"
        )
    known = isinstance(error, ValueError) and not isinstance(error, UnicodeError)
    return InvalidDataError(
        str(error) if known else f"not a readable image ({error or type(error).__name__})",
        code=getattr(error, "code", "E-data-unreadable"),
    )
