"""What one file holds: facts that need no rules, so that they can be kept until the file changes."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from semseg.checks.truncation import damage, png_chunk
from semseg.datasets.bit_depth import MOST_BITS
from semseg.datasets.photograph_kind import is_plain, read_kind
from semseg.datasets.photographs import MOST_PIXELS, decode_photograph
from semseg.errors import InvalidDataError

MAX_COLORS = 1 << 16
THUMBNAIL = (9, 8)  # width, height; 64 differences between neighbours
_SAMPLED = 128  # rows or columns that a thumbnail is made of
_ORIENTATION = 0x0112  # EXIF tag
_DIGESTED = 1 << 15  # bytes at either end
_READ_ERRORS = (OSError, SyntaxError, ValueError, EOFError, MemoryError)


class ImageFacts(NamedTuple):
    """What a photograph is.

    Attributes:
        problem: why it cannot be read; empty: it can.
        oddity: what the decoder complained about and went on.
        width, height: of the pixels as stored.
        orientation: EXIF, 1 to 8.
        digest: of length, beginning and end.
        thumbnail: grey, 9x8, hexadecimal; empty: it wasn't decoded.
        refusal: why it is not read as RGB; empty: it is.
        depth: of one of more than 8 bits, the fields of `bit_depth.Depth`; empty: of another.
        stated_bits: how many are in use of the 16 of a value, if the file says so.
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


class MaskFacts(NamedTuple):
    """What a mask is.

    Attributes:
        problem: why it cannot be read; empty: it can.
        format: as Pillow calls it.
        mode: as Pillow calls it; `RGB` and others with several channels hold colours.
        width, height: of the pixels as stored.
        orientation: EXIF, 1 to 8.
        palette: of mode P, RGB, hexadecimal.
        values: what is stored, or colours as 0xRRGGBB; empty: more than MAX_COLORS colours.
        counts: pixels, by value.
        num_transparent: pixels that are not opaque.
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


class Job(NamedTuple):
    """A pair to read, or what of it isn't known yet."""

    image_path: str | None
    mask_path: str | None
    deep: bool


def read_facts(job: Job) -> tuple[ImageFacts | None, MaskFacts | None]:
    """Read a pair; what cannot be read is a fact, not an error."""
    image = None if job.image_path is None else read_image_facts(Path(job.image_path), job.deep)
    return image, None if job.mask_path is None else read_mask_facts(Path(job.mask_path))


def read_image_facts(path: Path, deep: bool) -> ImageFacts:
    """Read a photograph: its header and whether it is whole, or with `deep` every pixel.

    Deep decoding is OpenCV's, as in training.
    """
    try:
        content = path.read_bytes()
        facts = ImageFacts(problem=damage(content), digest=_digest(content))
        if facts.problem:
            return facts
        kind = read_kind(io.BytesIO(content))
        if kind.refusal:
            return facts._replace(refusal=kind.refusal)
        with _opened(path) as image:
            (width, height), orientation = image.size, _orientation(image, content)
    except (*_READ_ERRORS, Image.DecompressionBombError) as error:
        return ImageFacts(problem=_reason(error))
    facts = facts._replace(width=width, height=height, orientation=orientation, stated_bits=kind.stated_bits)
    if not deep and kind.bits <= 8:
        return facts
    with _captured_stderr() as said:
        try:
            pixels, depth = _decode(content)
        except ValueError as error:
            return facts._replace(problem=f"not decodable: {said[0] if said else error}")
    facts = facts._replace(depth=depth)
    if not deep:
        return facts
    step = max(1, min(pixels.shape[:2]) // _SAMPLED)
    small = cv2.resize(pixels[::step, ::step], THUMBNAIL, interpolation=cv2.INTER_AREA)
    small = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return facts._replace(oddity=said[0] if said else "", thumbnail=small.tobytes().hex())


def _decode(content: bytes) -> tuple[np.ndarray, tuple]:
    """Return the pixels of a photograph as a training sees them, and the fields of its `Depth`, whatever that is."""
    if is_plain(content):
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if pixels is None:
            raise InvalidDataError("not a picture that OpenCV decodes")
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), ()
    found = decode_photograph(content, bits=MOST_BITS, max_pixels=MOST_PIXELS)
    if found.depth is None:
        return found.image, ()
    if found.depth.looks_like:  # to tell pictures apart that use few of the bits
        found = decode_photograph(content, bits=found.depth.looks_like, max_pixels=MOST_PIXELS)
    return found.image, tuple(found.depth)


def read_mask_facts(path: Path) -> MaskFacts:
    """Read a mask and count what it stores; the decoder is Pillow, as in training."""
    try:
        if not path.stat().st_size:
            return MaskFacts(problem="zero bytes")
        with _opened(path) as image:
            image.load()
            orientation = image.getexif().get(_ORIENTATION, 1)
            values, counts, num_transparent = _count(image)
            return MaskFacts(
                format=image.format or "",
                mode=image.mode,
                width=image.width,
                height=image.height,
                orientation=orientation,
                palette=bytes(image.getpalette("RGB")).hex() if image.mode == "P" else "",
                values=values,
                counts=counts,
                num_transparent=num_transparent,
            )
    except (*_READ_ERRORS, Image.DecompressionBombError) as error:
        return MaskFacts(problem=_reason(error))


def _count(image: Image.Image) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Return what a mask stores, the pixels of each, and how many pixels are not opaque."""
    num_transparent = 0
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        num_transparent = sum(image.convert("RGBA").getchannel("A").histogram()[:255])
    if image.mode in ("L", "P"):
        pixels = {value: count for value, count in enumerate(image.histogram()) if count}
    elif len(image.getbands()) == 1:  # 1, I, I;16, F
        values, counts = np.unique(np.asarray(image), return_counts=True)
        pixels = dict(zip(values.astype(int).tolist(), counts.tolist(), strict=True))
        pixels = pixels if len(pixels) <= MAX_COLORS else {}
    else:
        colors = image.convert("RGB").getcolors(MAX_COLORS) or []
        pixels = {(red << 16) + (green << 8) + blue: count for count, (red, green, blue) in colors}
    return tuple(pixels), tuple(pixels.values()), num_transparent


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # large, but no bomb; odd EXIF
        with Image.open(path) as image:
            yield image


def _orientation(image: Image.Image, content: bytes) -> int:
    if image.format != "PNG":
        return image.getexif().get(_ORIENTATION, 1)
    exif = Image.Exif()  # not getexif(), which decodes a PNG to the end to find it
    exif.load(png_chunk(content, b"eXIf") or b"")
    return exif.get(_ORIENTATION, 1)


def _digest(content: bytes) -> str:
    ends = content[:_DIGESTED] + content[-_DIGESTED:]
    return f"{len(content)}:{hashlib.blake2b(ends, digest_size=12).hexdigest()}"


def _reason(error: BaseException) -> str:
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
def _captured_stderr() -> Iterator[list[str]]:
    """Collect what the decoders print: libjpeg says there, and only there, that a picture is corrupt."""
    said: list[str] = []
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            lines = map(str.strip, file.read().decode("utf-8", "replace").splitlines())
            said += [line for line, _ in Counter(filter(None, lines)).most_common()]
