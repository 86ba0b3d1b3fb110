"""Facts about one file that do not depend on any rules, so that they can be cached until the file changes."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

import cv2
import numpy as np
from PIL import Image

from semseg.datasets.band_rules import BandRules
from semseg.datasets.bands import check_numbers, find_missing, is_transparent
from semseg.datasets.bit_depth import MOST_BITS
from semseg.datasets.dataset_keys import Color
from semseg.datasets.groups.capture import read_capture
from semseg.datasets.image_files import grey_gif
from semseg.datasets.opencv_decoding import decode_by_opencv
from semseg.datasets.photograph_kind import is_plain, read_kind
from semseg.datasets.photographs import MOST_PIXELS, decode_photograph
from semseg.datasets.stored_bands import read_stored
from semseg.datasets.truncation import find_damage, find_png_chunk
from semseg.errors import InvalidDataError

MAX_COLORS = 1 << 16
THUMBNAIL = (9, 8)  # width, height; 64 differences between neighbours
_SAMPLED = 128  # rows or columns of an image, at least, from which its thumbnail is made
ORIENTATION = 0x0112  # EXIF tag
_DIGESTED = 1 << 15  # bytes at the beginning and at the end
READ_ERRORS = (OSError, SyntaxError, ValueError, EOFError, MemoryError)


class ImageFacts(NamedTuple):
    """Facts about a photograph.

    Attributes:
        problem: why it cannot be read; empty: it can.
        oddity: a warning of the decoder, which could read it in part.
        width, height: of the pixels as stored.
        orientation: EXIF, 1 to 8.
        digest: of length, beginning and end of the file.
        thumbnail: grey, 9x8 pixels, hexadecimal; empty: the file was not decoded.
        refusal: why it cannot be read as RGB, or with the bands of its set; empty: it can.
        depth: the fields of `bit_depth.Depth` if it has more than 8 bits, else empty.
        stated_bits: how many of the 16 bits of a value are in use, if the file says so.
        taken, place, camera: the fields of `groups.capture.Capture`, of EXIF.
        bands: see `BandFacts`; empty for a photograph.
    """

    problem: str = ""
    oddity: str = ""
    width: int = 0
    height: int = 0
    orientation: int = 1
    digest: str = ""
    thumbnail: str = ""
    refusal: str = ""
    depth: tuple = ()
    stated_bits: int | None = None
    taken: float | None = None
    place: tuple[float, ...] = ()
    camera: str = ""
    bands: tuple = ()


class BandFacts(NamedTuple):
    """Facts about a picture with `bands`.

    Attributes:
        num_bands: of the file.
        dtype: of a stored value, such as `uint16`.
        num_valid: values with data in the bands that are read.
        num_below, num_above: of these, outside their range; 0 if the range is measured.
    """

    num_bands: int
    dtype: str
    num_valid: int
    num_below: int
    num_above: int


class MaskFacts(NamedTuple):
    """Facts about a mask.

    Attributes:
        problem: why it cannot be read; empty: it can.
        format: of Pillow, such as `PNG`.
        mode: of Pillow; `RGB` and others with several channels hold colours.
        width, height: of the pixels as stored.
        orientation: EXIF, 1 to 8.
        palette: RGB, hexadecimal; only of mode `P`.
        values: the distinct stored values, or colours as 0xRRGGBB; empty: more than MAX_COLORS colours.
        counts: number of pixels of each of `values`.
        num_transparent: number of pixels that are not opaque.
    """

    problem: str = ""
    format: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    orientation: int = 1
    palette: str = ""
    values: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    num_transparent: int = 0


def read_image_facts(path: Path, deep: bool) -> ImageFacts:
    """Read a photograph: its header, and whether the file is complete; with `deep` every pixel.

    OpenCV decodes it, as in training.
    """
    try:
        content = path.read_bytes()
        facts = ImageFacts(problem=find_damage(content), digest=_compute_digest(content))
        if facts.problem:
            return facts
        kind = read_kind(io.BytesIO(content))
        if kind.refusal:
            return facts._replace(refusal=kind.refusal)
        with open_image(path) as image:
            (width, height), exif = image.size, _read_exif(image, content)
            orientation, taken = exif.get(ORIENTATION, 1), read_capture(exif)
    except (*READ_ERRORS, Image.DecompressionBombError) as error:
        return ImageFacts(problem=format_reason(error))
    facts = facts._replace(width=width, height=height, orientation=orientation, stated_bits=kind.stated_bits)
    facts = facts._replace(**taken._asdict())
    if not deep and kind.bits <= 8:
        return facts
    with _capture_stderr() as messages:
        try:
            pixels, depth = _decode(content)
        except ValueError as error:
            return facts._replace(problem=f"not decodable: {messages[0] if messages else error}")
    facts = facts._replace(depth=depth)
    if not deep:
        return facts
    step = max(1, min(pixels.shape[:2]) // _SAMPLED)
    small = cv2.resize(pixels[::step, ::step], THUMBNAIL, interpolation=cv2.INTER_AREA)
    small = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return facts._replace(oddity=messages[0] if messages else "", thumbnail=small.tobytes().hex())


def read_band_facts(path: Path, rules: BandRules, exif: str) -> ImageFacts:
    """Read a picture with `bands`: every value, and whether it lies in the range of its band."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return ImageFacts(problem=format_reason(error))
    facts = ImageFacts(digest=_compute_digest(content))
    try:
        stored = read_stored(content, exif, MOST_PIXELS)
        check_numbers(rules.numbers, stored.header)
    except ValueError as error:
        is_kind = getattr(error, "code", "") in ("E-data-image-kind", "E-data-bands", "E-data-package")
        return facts._replace(refusal=str(error)) if is_kind else facts._replace(problem=str(error))
    transparent = is_transparent(stored, rules.numbers)
    num_valid = num_below = num_above = 0
    for position, number in enumerate(rules.numbers):
        plane = stored.values[..., number - 1]
        missing = find_missing(plane, stored.header, rules.nodata)
        valid = plane[~missing if transparent is None else ~(missing | transparent)]
        num_valid += valid.size
        if rules.ranges is not None:
            low, high = rules.ranges[position]
            num_below += int(np.count_nonzero(valid < low))
            num_above += int(np.count_nonzero(valid > high))
    header = stored.header
    bands = BandFacts(header.num_bands, str(header.dtype), num_valid, num_below, num_above)
    return facts._replace(width=header.width, height=header.height, bands=tuple(bands))


def _decode(content: bytes) -> tuple[np.ndarray, tuple]:
    """Return the pixels of a photograph as a training sees them, and the fields of its `Depth`, if it has one."""
    if is_plain(content):
        pixels = decode_by_opencv(content, cv2.IMREAD_COLOR)
        if pixels is None:
            raise InvalidDataError("not a picture that OpenCV decodes", code="E-data-unreadable")
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), ()
    photograph = decode_photograph(content, bits=MOST_BITS, max_pixels=MOST_PIXELS)
    depth = photograph.depth
    if depth is None:
        return photograph.image, ()
    if depth.looks_like:  # scaled by the bits in use, so that the thumbnails of such pictures are not all black
        photograph = decode_photograph(content, bits=depth.looks_like, max_pixels=MOST_PIXELS)
    return photograph.image, tuple(photograph.depth or ())


def read_mask_facts(path: Path) -> MaskFacts:
    """Read a mask and count its values. Pillow decodes it, as in training."""
    try:
        if not path.stat().st_size:
            return MaskFacts(problem="zero bytes")
        with open_image(path) as image:
            image.load()
            image = grey_gif(image)
            orientation = image.getexif().get(ORIENTATION, 1)
            palette = image.getpalette("RGB") if image.mode == "P" else None
            values, counts, num_transparent = count_values(image)
            return MaskFacts(
                format=image.format or "",
                mode=image.mode,
                width=image.width,
                height=image.height,
                orientation=orientation,
                palette=bytes(palette or ()).hex(),
                values=values,
                counts=counts,
                num_transparent=num_transparent,
            )
    except (*READ_ERRORS, Image.DecompressionBombError) as error:
        return MaskFacts(problem=format_reason(error))


def count_values(image: Image.Image) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Return the distinct values of a mask, the number of pixels of each, and how many pixels are not opaque."""
    num_transparent = 0
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        num_transparent = sum(image.convert("RGBA").getchannel("A").histogram()[:255])
    if image.mode in ("L", "P"):
        num_px = {value: count for value, count in enumerate(image.histogram()) if count}
    elif len(image.getbands()) == 1:  # 1, I, I;16, F
        values, counts = np.unique(np.asarray(image), return_counts=True)
        num_px = dict(zip(values.astype(int).tolist(), cast("list[int]", counts.tolist()), strict=True))
        num_px = num_px if len(num_px) <= MAX_COLORS else {}
    else:
        colors = cast("list[tuple[int, Color]]", image.convert("RGB").getcolors(MAX_COLORS) or [])
        num_px = {(red << 16) + (green << 8) + blue: count for count, (red, green, blue) in colors}
    return tuple(num_px), tuple(num_px.values()), num_transparent


@contextmanager
def open_image(path: Path) -> Generator[Image.Image]:
    """Open a picture without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large pictures that are no bombs, and of invalid EXIF
        with Image.open(path) as image:
            yield image


def _read_exif(image: Image.Image, content: bytes) -> Image.Exif:
    if image.format != "PNG":
        return image.getexif()
    exif = Image.Exif()  # not getexif(), which decodes a PNG to the end to find it
    exif.load(find_png_chunk(content, b"eXIf") or b"")
    return exif


def _compute_digest(content: bytes) -> str:
    ends = content[:_DIGESTED] + content[-_DIGESTED:]
    return f"{len(content)}:{hashlib.blake2b(ends, digest_size=12).hexdigest()}"


def format_reason(error: BaseException) -> str:
    """Return in a few words why a file cannot be read."""
    if isinstance(error, Image.DecompressionBombError):
        return f"decompression bomb: {str(error).partition('(')[2].partition(' pixels')[0]} pixels"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if type(error).__name__ == "UnidentifiedImageError":
        return "not an image"
    return f"damaged: {str(error) or type(error).__name__}"


@contextmanager
def _capture_stderr() -> Generator[list[str]]:
    """Yield a list that gets the distinct lines that decoders print: libjpeg reports corrupt pictures only there."""
    messages: list[str] = []
    original = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield messages
        finally:
            os.dup2(original, 2)
            os.close(original)
            file.seek(0)
            lines = map(str.strip, file.read().decode("utf-8", "replace").splitlines())
            messages += [line for line, _ in Counter(filter(None, lines)).most_common()]
