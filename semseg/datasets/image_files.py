"""Photographs and masks as files store them: files in, arrays out, without the rules of a dataset.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, SupportsInt

import cv2
import numpy as np
from PIL import Image, ImageOps

from semseg.datasets.bands import Bands, Picture
from semseg.datasets.opencv_decoding import decode_by_opencv
from semseg.datasets.photograph_kind import is_plain
from semseg.datasets.photographs import MOST_PIXELS, decode_photograph
from semseg.datasets.stored_bands import read_header
from semseg.datasets.truncation import find_damage
from semseg.errors import InvalidDataError, MissingDataError

_ORIENTATION = 0x0112  # EXIF tag
_SWAPPED = (5, 6, 7, 8)  # orientations that swap width and height
NUM_SHOWN = 4  # examples in a message


def read_image(
    path: str | Path, exif: str = "apply", bits: int | None = None, bands: Bands | None = None
) -> np.ndarray:
    """Read a photograph: RGB, uint8, shape (height, width, 3); with the pixels that a training sees.

    Args:
        path: see `decode_photograph`.
        exif: `apply` turns it upright by its EXIF orientation, `ignore` takes it as stored.
        bits: how many of the 16 bits of a value are in use, if the file stores 16.
        bands: of a set whose pictures are not RGB; three of them are returned, see `Bands.show`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is not an image, or damaged, or of an unsupported kind.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingDataError(f"no image {path}", code="E-data-missing")
    if bands is not None:
        return bands.show(read_bands(path, bands, exif).image)
    content = path.read_bytes()
    if is_plain(content):  # as in training, also if the file is damaged
        flags = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if exif == "ignore" else 0)
        image = decode_by_opencv(content, flags)
        if image is None:
            raise InvalidDataError(f"{path}: not a readable image", code="E-data-unreadable")
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    try:
        return decode_photograph(content, exif, bits, MOST_PIXELS).image
    except ValueError as error:
        raise InvalidDataError(f"{path}: {error}", code=getattr(error, "code", "E-data-unreadable")) from error


def read_bands(path: Path, bands: Bands, exif: str = "apply") -> Picture:
    """Read a picture that is not RGB, with the values that a training sees.

    Raises:
        ValueError: as `Bands.read`; the message names the file.
    """
    try:
        return bands.read(path, exif, MOST_PIXELS)
    except ValueError as error:
        raise InvalidDataError(f"{path}: {error}", code=getattr(error, "code", "E-data-unreadable")) from error


def measure_image(path: str | Path | BinaryIO) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return width and height of a picture as stored, and when turned upright by its EXIF orientation.

    Raises:
        OSError, SyntaxError, ValueError, Image.DecompressionBombError: it is not a readable image.
    """
    with Image.open(path) as image:
        orientation = _orientation_of(image)
        width, height = image.size
    return (width, height), (height, width) if orientation in _SWAPPED else (width, height)


def size_of_picture(path: str | Path, exif: str, has_bands: bool) -> tuple[int, int]:
    """Return width and height of a picture as a training sees it, from its header.

    Args:
        path: of the picture.
        exif: `apply` turns it upright by its EXIF orientation, `ignore` takes it as stored.
        has_bands: whether its set has `bands`.

    Raises:
        OSError, SyntaxError, ValueError, Image.DecompressionBombError: it is not a readable image.
    """
    if has_bands:
        header = read_header(Path(path), exif)
        return header.width, header.height
    stored, upright = measure_image(path)
    return upright if exif == "apply" else stored


def is_turned(path: str | Path | BinaryIO) -> bool:
    """Return whether EXIF turns or mirrors a picture.

    Raises:
        OSError, SyntaxError, ValueError, Image.DecompressionBombError: it is not a readable image.
    """
    with Image.open(path) as image:
        return _orientation_of(image) in range(2, 9)


def _orientation_of(image: Image.Image) -> int:
    # getexif() of a PNG without an EXIF chunk would decode the whole picture
    has_exif = image.format != "PNG" or "exif" in image.info
    return image.getexif().get(_ORIENTATION, 1) if has_exif else 1


def read_mask(path: str | Path, exif: str = "apply") -> Image.Image:
    """Read a mask as it is stored: palette indices stay indices, except those of a grey GIF, see `grey_gif`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is not an image, or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingDataError(f"no mask {path}", code="E-data-missing")
    try:
        image = Image.open(path)
        image.load()
        damage = find_damage(path.read_bytes())
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InvalidDataError(f"{path} is not a readable image ({error})", code="E-data-unreadable") from error
    if damage:  # Pillow stops at the last row, and does not compare the checksums of a PNG's pixels
        raise InvalidDataError(f"{path} is not a readable image ({damage})", code="E-data-unreadable")
    image = grey_gif(image)
    try:
        is_upright = exif == "ignore" or image.getexif().get(_ORIENTATION, 1) == 1
    except Exception:  # only the metadata is damaged, as in `decode_photograph`
        is_upright = True
    if not is_upright:
        turned = ImageOps.exif_transpose(image)
        turned.format = image.format
        return turned
    return image


def grey_gif(image: Image.Image) -> Image.Image:
    """Return a loaded GIF whose pixels are all grey as mode L; other pictures unchanged.

    GIF always stores a palette, and programs sort it as they like: a mask of 0 and 255 may become 0 and 1 with a
    palette of black and white. Pillow gives the greys only if the palette is sorted by them.
    """
    if image.format != "GIF" or image.mode != "P" or "transparency" in image.info:
        return image
    palette = np.reshape(image.getpalette("RGB") or [], (-1, 3))
    indices = np.unique(np.asarray(image))
    if indices[-1] >= len(palette) or (palette[indices] != palette[indices][:, :1]).any():
        return image
    grey = image.convert("L")
    grey.format = image.format
    return grey


def stored_values(image: Image.Image, name: str = "the mask") -> np.ndarray:
    """Return the values of a mask of one channel: uint8, shape (height, width).

    Args:
        image: mode L, P (its indices), 1, or 16 and 32 bit as long as no value is above 255.
        name: of the mask, for error messages.

    Raises:
        ValueError: it has several channels, or values above 255.
    """
    if image.mode in ("L", "P"):
        return np.asarray(image)
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.size and (values.max() > 255 or values.min() < 0):
            outside = most_frequent(*np.unique(values[(values > 255) | (values < 0)], return_counts=True))
            raise InvalidDataError(
                f"{name} holds values outside 0..255: {listed(outside)}; renumber them", code="E-data-mask-values"
            )
        return values.astype(np.uint8)
    raise InvalidDataError(f"{name} is {image.mode}, not a mask of one channel", code="E-data-encoding")


def most_frequent(values: Iterable, counts: Iterable[SupportsInt]) -> dict[Any, int]:
    """Return the number of pixels by stored value, most frequent first; counts of equal values are added up."""
    pixels: dict[Any, int] = {}
    for value, count in zip(values, counts, strict=True):
        value = value.item() if isinstance(value, np.generic) else value
        pixels[value] = pixels.get(value, 0) + int(count)
    return dict(sorted(pixels.items(), key=lambda item: -item[1]))


def listed(pixels: Mapping[Any, int], notes: Mapping[Any, str] | None = None) -> str:
    """Write `{7: 120 px, #ff0000: 3 px (note), and 9 more}`."""
    shown = [
        f"{'#' + bytes(key).hex() if isinstance(key, tuple) else key}: {count} px{(notes or {}).get(key, '')}"
        for key, count in list(pixels.items())[:NUM_SHOWN]
    ]
    more = [f"and {len(pixels) - NUM_SHOWN} more"] if len(pixels) > NUM_SHOWN else []
    return "{" + ", ".join([*shown, *more]) + "}"
