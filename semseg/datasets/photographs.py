"""The one reader of photographs: it decides how what a file stores becomes RGB of 8 bits.

Training, testing, inference, the checks and everything that shows a photograph go through here, so a model gets the
same pixels everywhere. Only for files of which every decoder makes the same (`photograph_kind.is_plain`) a training
may decode by itself.
"""

from __future__ import annotations

import io
import math
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from semseg.datasets.bit_depth import Depth, measure_depth, scale_to_8_bits, used_bits
from semseg.datasets.photograph_kind import PhotographKind, read_kind
from semseg.errors import InvalidDataError

MAX_PIXELS = 178_956_970
"""Above this Pillow suspects a decompression bomb: 512 MB as RGB."""
MOST_PIXELS = 1 << 30
"""Above this OpenCV, which training decodes by, reads nothing."""

PHOTOGRAPH_LOADERS = ("LoadImageFromFile", "LoadPhotograph")
"""Names of the transforms that load photographs in a config."""
RGB_COLOR_TYPES = ("color", "color_ignore_orientation")
"""The `color_type` of these transforms that gives RGB of 8 bits; the second one does not turn photographs by EXIF."""

_ORIENTATION = 0x0112  # EXIF tag
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1")
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP", "AVIF", "JPEG2000", "HEIF")  # EPS would run Ghostscript
_opening = threading.Lock()


class TooManyPixelsError(InvalidDataError):
    """A picture is larger than was allowed."""


class Pixels(NamedTuple):
    """A photograph in memory.

    Attributes:
        image: RGB, uint8, shape (height, width, 3).
        nodata: True where the file says that there is no data (transparent, or the value of GDAL_NODATA), bool, shape
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
    """Decode a photograph; of several pictures in one file the first.

    Args:
        source: a path, or what a file holds; one of the formats above, the suffix need not fit. HEIC needs the plugin
            pillow-heif.
        exif: `apply` turns it upright by its EXIF orientation, `ignore` takes it as stored
            (TIFF is turned all the same: Pillow does so).
        bits: how many are in use of the 16 of a value, where the file stores 16.
        max_pixels: more are not decoded.
        on_open: called with the picture that Pillow has opened, before its pixels are dropped.

    Raises:
        TooManyPixelsError: it is larger than `max_pixels`.
        ValueError: it cannot be read: one sentence without the path, whatever is wrong with the file.
    """
    try:
        with open_photograph(source) as (image, kind):
            width, height = max(image.size, _tile_size(image), key=math.prod)
            if width * height > max_pixels:
                raise TooManyPixelsError(f"{width}x{height} are more pixels than --max-pixels {max_pixels}")
            image.load()
            on_open(image)
            stored = _deep_values(image, source) if kind.bits > 8 else None
            return pixels_of(image, exif, bits, kind, stored)
    except TooManyPixelsError:
        raise
    except Exception as error:  # a hostile file makes decoders raise anything
        raise _in_one_sentence(error, source) from error


@contextmanager
def open_photograph(source: Path | bytes) -> Iterator[tuple[Image.Image, PhotographKind]]:
    """Open an image of any size without decoding it, and read what its header says.

    Raises:
        ValueError: it is a folder, a pipe, or of a kind that is not read.
        OSError, UnidentifiedImageError: as from the system and from Pillow.
    """
    if isinstance(source, Path):
        mode = source.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InvalidDataError("is a directory")
        if not stat.S_ISREG(mode):
            raise InvalidDataError("not a file")  # a pipe would be waited for
    with _stream(source) as file:
        kind = read_kind(file)
        if kind.refusal:
            raise InvalidDataError(kind.refusal)
        with _identified(file) as image:
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
        kind: what its header says; None for a picture out of the memory.
        stored: its values, where Pillow does not have all bits of them, uint16, shape (height, width, bands).

    Raises:
        ValueError: it holds other values than those of 8 or 16 bits, or values that do not fit the bits in use.
    """
    kind = kind or PhotographKind()
    if stored is None and image.mode[0] in "IF":
        if image.mode == "F":
            raise InvalidDataError("holds floating-point values; expected 8 or 16 bits")
        stored = np.asarray(image)
        if stored.size and (stored.min() < 0 or stored.max() > 65535):
            raise InvalidDataError(f"holds values from {stored.min()} to {stored.max()}; expected 8 or 16 bits")
        stored = stored.astype(np.uint16)[..., None]
    if stored is None:
        picture, nodata = image.convert("RGB"), _nodata_of(image, kind)
        depth = None
    else:
        values, nodata = stored[..., :3] if stored.shape[2] > 2 else stored[..., :1], None
        if stored.shape[2] in (2, 4):
            nodata = stored[..., -1] == 0
        nodata = _or(nodata, _is_value(values, kind.nodata))
        depth = measure_depth(values, nodata, kind)
        scaled = scale_to_8_bits(values, used_bits(depth, kind.stated_bits, bits))
        picture = Image.fromarray(np.repeat(scaled, 3, axis=2) if scaled.shape[2] == 1 else scaled)
    turned = _turn_of(image) if exif == "apply" else None
    if turned is not None:
        picture = picture.transpose(turned)
        nodata = None if nodata is None else np.asarray(Image.fromarray(nodata).transpose(turned))
    return Pixels(np.asarray(picture), nodata if nodata is not None and nodata.any() else None, depth)


def _deep_values(image: Image.Image, source: Path | bytes) -> np.ndarray | None:
    """Return the values of bands of 16 bits, shape (height, width, bands); of those Pillow keeps the upper 8 bits.

    None: Pillow has them all.
    """
    if image.mode.startswith("I;16"):
        return None
    content = source if isinstance(source, bytes) else source.read_bytes()
    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.shape[:2] != image.size[::-1]:
        raise InvalidDataError("not a readable image (its values of 16 bits cannot be decoded)")
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
        nodata = _or(nodata, _is_value(bands, kind.nodata))
    return nodata


def _is_value(values: np.ndarray, nodata: int | None) -> np.ndarray | None:
    return None if nodata is None else (values == nodata).all(axis=2)


def _or(first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray | None:
    if first is None or second is None:
        return second if first is None else first
    return first | second


def _turn_of(image: Image.Image) -> Image.Transpose | None:
    """Return how a picture is turned upright; Pillow has turned a TIFF already."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # the metadata is broken, the picture is not
        return None
    kinds = Image.Transpose
    turns = (kinds.FLIP_LEFT_RIGHT, kinds.ROTATE_180, kinds.FLIP_TOP_BOTTOM, kinds.TRANSPOSE, kinds.ROTATE_270,
             kinds.TRANSVERSE, kinds.ROTATE_90)  # fmt: skip
    return dict(enumerate(turns, 2)).get(orientation)


def _identified(file: BinaryIO) -> Image.Image:
    with _opening:
        bound, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # ours is in the hands of the caller
        try:
            return _opened(file)
        except UnidentifiedImageError:
            file.seek(0)
            head = file.read(12)
            if head[4:8] != b"ftyp" or head[8:] not in _HEIC_BRANDS:
                raise
            try:
                import pillow_heif
            except ImportError:
                raise InvalidDataError("HEIC is read with pillow-heif: pip install -e '.[heic]'") from None
            pillow_heif.register_heif_opener()
            return _opened(file)
        finally:
            Image.MAX_IMAGE_PIXELS = bound


def _opened(file: BinaryIO) -> Image.Image:
    Image.init()  # not every Pillow has every format
    file.seek(0)
    return Image.open(file, formats=[name for name in _FORMATS if name in Image.OPEN])


def _stream(source: Path | bytes) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _tile_size(image: Image.Image) -> tuple[int, int]:
    """Return what is decoded at once of a TIFF file: it may be far more than the picture."""
    tags = getattr(image, "tag_v2", {})
    return tags.get(_TILE_WIDTH, 0), tags.get(_TILE_HEIGHT, 0)


def _in_one_sentence(error: Exception, source: Path | bytes) -> ValueError:
    if isinstance(error, OSError) and error.strerror:
        return InvalidDataError(error.strerror.lower())
    if isinstance(error, UnidentifiedImageError):
        empty = len(source) == 0 if isinstance(source, bytes) else source.stat().st_size == 0
        return InvalidDataError("not a readable image (the file is empty)" if empty else "not a readable image")
    known = isinstance(error, ValueError) and not isinstance(error, UnicodeError)
    return InvalidDataError(str(error) if known else f"not a readable image ({error or type(error).__name__})")
