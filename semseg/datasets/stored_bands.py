"""Read the values of a picture as its file stores them: any number of bands, whole or floating-point numbers.

TIFF is read by tifffile (tiles, strips, band by band, compressed), NPY by NumPy without pickles, PNG by OpenCV, and the
other formats, which have 8 bits, by Pillow. Bands are numbered from 1 in messages, as in GDAL, and from 0 in arrays.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import cv2
import numpy as np
from PIL import Image

from semseg.datasets import tiff_tags
from semseg.datasets.opencv_decoding import decode_by_opencv
from semseg.datasets.photographs import MAX_PIXELS, TooManyPixelsError, open_photograph
from semseg.datasets.truncation import find_png_chunk
from semseg.errors import InvalidDataError, SemsegError

_NPY, _PNG = b"\x93NUMPY", b"\x89PNG\r\n\x1a\n"
_NPY_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_PNG_BANDS = {0: 1, 2: 3, 4: 2, 6: 4}  # by colour type; with alpha
_PILLOW_MODES = ("L", "RGB", "RGBA", "LA")
_ORIENTATION = 0x0112  # EXIF tag
_ALPHA = (1, 2)  # values of the TIFF tag ExtraSamples


class Header(NamedTuple):
    """What a file says about its values before they are decoded.

    Attributes:
        width, height: in pixels.
        num_bands: with a band of transparency.
        dtype: of a value, such as `uint16`.
        alpha: index of the band of transparency; None: there is none.
        nodata: the stored value that means no data (GDAL_NODATA); None if the file states none.
    """

    width: int
    height: int
    num_bands: int
    dtype: np.dtype
    alpha: int | None = None
    nodata: float | None = None


class Stored(NamedTuple):
    """The values of a picture: shape (height, width, bands), of any real type; and its header."""

    values: np.ndarray
    header: Header


def read_stored(source: Path | bytes, exif: str = "apply", max_pixels: int = MAX_PIXELS) -> Stored:
    """Read all bands of a picture.

    Args:
        source: a path, or the content of a file.
        exif: with `apply`, a picture that its metadata turn is refused; with `ignore`, it is taken as stored.
        max_pixels: larger pictures are not decoded.

    Raises:
        TooManyPixelsError: it has more than `max_pixels`.
        ValueError: it cannot be read; the message is one sentence without the path.
    """
    try:
        with _opened(source) as (file, head):
            header, read = _open(file, head, exif)
            if header.width * header.height > max_pixels:
                size = f"{header.width}x{header.height}"
                raise TooManyPixelsError(f"{size} are more pixels than `max_pixels` {max_pixels}")
            values = read()
            if values.shape != (header.height, header.width, header.num_bands):
                raise InvalidDataError(f"holds values of the shape {values.shape}", code="E-data-unreadable")
            return Stored(values, header)
    except Exception as error:  # decoders raise all kinds of exceptions for damaged files
        raise _as_data_error(error) from error


def read_header(source: Path | bytes, exif: str = "apply") -> Header:
    """Read the header of a picture.

    Raises:
        ValueError: as `read_stored`.
    """
    try:
        with _opened(source) as (file, head):
            return _open(file, head, exif)[0]
    except Exception as error:
        raise _as_data_error(error) from error


def import_tifffile(what: str = "TIFF with `bands`") -> Any:
    """Return the module `tifffile`.

    Args:
        what: it reads, as the beginning of a sentence for the message.

    Raises:
        ValueError: it is not installed.
    """
    try:
        import tifffile
    except ImportError:
        raise InvalidDataError(
            f"{what} is read by tifffile, which is not installed: pip install -e '.[tiff]'",
            code="E-data-package",
        ) from None
    return tifffile


def tiff_header(page: Any, num_pages: int = 1) -> Header:
    """Return the header of a page of `tifffile`.

    Args:
        page: the first one.
        num_pages: how many pages hold one band each; 1: the page holds all bands.

    Raises:
        ValueError: its values are not real numbers, or it is no flat picture.
    """
    if page.dtype is None or page.dtype.kind not in "buif" or page.axes not in ("YX", "YXS", "SYX"):
        raise InvalidDataError(
            f"is a TIFF of {page.dtype} with the axes {page.axes}; expected whole or floating-point numbers in rows and"
            " columns",
            code="E-data-image-kind",
        )
    extra = tuple(page.extrasamples or ())
    alpha = page.samplesperpixel - 1 if len(extra) == 1 and int(extra[0]) in _ALPHA else None
    tag = page.tags.get(tiff_tags.GDAL_NODATA)
    bands = page.samplesperpixel if num_pages == 1 else num_pages
    return Header(page.imagewidth, page.imagelength, bands, page.dtype, alpha, _number(tag.value) if tag else None)


def _number(text: Any) -> float | None:
    try:
        return float(str(text).strip("\0 "))
    except ValueError:
        return None


@contextmanager
def _opened(source: Path | bytes) -> Generator[tuple[BinaryIO, bytes]]:
    """Open a file, and read its beginning."""
    if isinstance(source, Path) and not source.is_file():
        raise InvalidDataError("not a file", code="E-data-unreadable")  # reading a pipe could block forever
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        head = file.read(32)
        file.seek(0)
        yield file, head


def _open(file: BinaryIO, head: bytes, exif: str) -> tuple[Header, Any]:
    """Return the header of a file, and a function that reads its values."""
    if head.startswith(_NPY):
        return _open_npy(file)
    if tiff_tags.is_tiff(head):
        return _open_tiff(file, exif)
    if head.startswith(_PNG):
        return _open_png(file.read(), exif)
    return _open_by_pillow(file.read(), exif)


def _open_npy(file: BinaryIO) -> tuple[Header, Any]:
    version = np.lib.format.read_magic(file)
    if version not in _NPY_HEADERS:
        raise InvalidDataError("is an NPY file with named fields; expected plain numbers", code="E-data-image-kind")
    shape, _, dtype = _NPY_HEADERS[version](file)
    if dtype.hasobject or dtype.kind not in "buif":
        raise InvalidDataError(f"is an NPY file of {dtype}; expected plain numbers", code="E-data-image-kind")
    start = file.tell()
    num_bytes = file.seek(0, io.SEEK_END) - start
    if num_bytes < math.prod(shape) * dtype.itemsize:
        raise InvalidDataError("the file ends before its last value", code="E-data-unreadable")
    first = bands_axis(shape) == 0
    height, width = shape[1:] if first else shape[:2]
    num_bands = 1 if len(shape) == 2 else shape[0 if first else 2]

    def read() -> np.ndarray:
        file.seek(0)
        values = np.load(file, allow_pickle=False)
        return values[..., None] if values.ndim == 2 else np.moveaxis(values, 0, 2) if first else values

    return Header(width, height, num_bands, dtype), read


def bands_axis(shape: tuple[int, ...]) -> int:
    """Return which axis of an array holds the bands: the shortest of the first and the last one.

    Raises:
        ValueError: it is not an array of a picture, or the first and the last axis have the same length.
    """
    if 0 in shape or len(shape) not in (2, 3):
        raise InvalidDataError(
            f"is an array of the shape {shape}; expected (height, width), (height, width, bands), or (bands, height,"
            " width)",
            code="E-data-image-kind",
        )
    if len(shape) == 2:
        return 2
    if shape[0] == shape[2]:
        raise InvalidDataError(
            f"is an array of the shape {shape}, whose first and last axes have the same length, so that either could be"
            " the bands; save it in another format",
            code="E-data-image-kind",
        )
    return 0 if shape[0] < shape[2] else 2


def _open_tiff(file: BinaryIO, exif: str) -> tuple[Header, Any]:
    tiff = import_tifffile().TiffFile(file)
    page: Any = tiff.pages[0]
    orientation = page.tags.get(tiff_tags.ORIENTATION)
    _check_upright(int(orientation.value) if orientation else 1, exif)
    pages = band_pages(tiff)
    header = tiff_header(page, len(pages))

    def read() -> np.ndarray:
        if len(pages) > 1:
            return np.stack([one.asarray() for one in pages], axis=2)
        values = page.asarray()
        return values[..., None] if page.axes == "YX" else np.moveaxis(values, 0, 2) if page.axes == "SYX" else values

    return header, read


def band_pages(tiff: Any) -> list[Any]:
    """Return the pages of a TIFF file that hold one band each; the first page alone if it holds all bands.

    Pages count as bands if all of them have one band, and the same size and type. Overviews and masks are left out.
    """
    first = tiff.pages[0]
    if first.samplesperpixel != 1 or len(tiff.pages) == 1:
        return [first]
    pages = [page.aspage() for page in tiff.pages]
    pages = [page for page in pages if not page.is_reduced and not page.is_mask]
    same = all((page.shape, page.dtype) == (first.shape, first.dtype) for page in pages)
    return pages if same and pages else [first]


def _open_png(content: bytes, exif: str) -> tuple[Header, Any]:
    width, height, bits, color = *struct.unpack_from(">II", content, 16), content[24], content[25]
    if color not in _PNG_BANDS or bits < 8:
        kind = "a palette" if color == 3 else f"{bits} bits"
        raise InvalidDataError(f"is a PNG of {kind}; expected values of 8 or 16 bits", code="E-data-image-kind")
    metadata = Image.Exif()
    metadata.load(find_png_chunk(content, b"eXIf") or b"")
    _check_upright(metadata.get(_ORIENTATION, 1), exif)
    num_bands = _PNG_BANDS[color]
    alpha = num_bands - 1 if color in (4, 6) else None

    def read() -> np.ndarray:
        values = decode_by_opencv(content, cv2.IMREAD_UNCHANGED)
        if values is None:
            raise InvalidDataError("not a readable image", code="E-data-unreadable")
        values = values[..., None] if values.ndim == 2 else values[..., [2, 1, 0, 3][: values.shape[2]]]
        if num_bands == 2 and values.shape[2] == 4:  # OpenCV repeats the grey
            values = values[..., [0, 3]]
        return values[..., :num_bands]

    return Header(width, height, num_bands, np.dtype(np.uint16 if bits == 16 else np.uint8), alpha), read


def _open_by_pillow(content: bytes, exif: str) -> tuple[Header, Any]:
    with open_photograph(content) as (image, _):
        if image.mode not in _PILLOW_MODES:
            raise InvalidDataError(
                f"is a {image.format} of the kind {image.mode}; expected TIFF, PNG or NPY", code="E-data-image-kind"
            )
        _check_upright(image.getexif().get(_ORIENTATION, 1), exif)
        num_bands = len(image.getbands())
        alpha = num_bands - 1 if image.mode in ("RGBA", "LA") else None
        header = Header(image.width, image.height, num_bands, np.dtype(np.uint8), alpha)

    def read() -> np.ndarray:
        with open_photograph(content) as (again, _):
            values = np.asarray(again)
        return values[..., None] if values.ndim == 2 else values

    return header, read


def _check_upright(orientation: int, exif: str) -> None:
    if orientation != 1 and exif == "apply":
        raise InvalidDataError(
            f"is turned by its metadata (orientation {orientation}), which pictures with `bands` are not; save it"
            " upright, or set exif: ignore to take it as stored",
            code="E-data-image-kind",
        )


def _as_data_error(error: Exception) -> SemsegError:
    if isinstance(error, SemsegError):
        return error
    if isinstance(error, OSError) and error.strerror:
        return InvalidDataError(error.strerror.lower(), code="E-data-unreadable")
    reason = " ".join(str(error).split()) or type(error).__name__
    if "cannot identify image file" in reason:
        reason = "it is neither TIFF, PNG, NPY, nor a photograph"
    return InvalidDataError(f"not a readable picture ({reason})", code="E-data-unreadable")
