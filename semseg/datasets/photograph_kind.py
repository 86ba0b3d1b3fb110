"""Read the header of a photograph: how many bands, how many bits, and whether such files are supported.

Everything that reads photographs calls `read_kind` first, so that all readers refuse or scale a file in the same way.
"""

from __future__ import annotations

import contextlib
import math
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from semseg.datasets import tiff_tags
from semseg.datasets.truncation import iterate_png_chunks

EXPECTED = "expected 1 or 3 bands of 8 or 16 bits, or with transparency one more"
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_BANDS = {0: 1, 2: 3, 3: 1, 4: 1, 6: 3}  # by colour type, without alpha
_PNG_ALPHA = (4, 6)
_HEAD_BYTES = 1 << 16  # searched for the size of a JPEG, and for the chunks before the pixels of a PNG
_MINISWHITE, _MINISBLACK, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_SAMPLES = {
    2: "signed numbers of ",
    3: "floating-point numbers of ",
    5: "complex numbers of ",
    6: "complex numbers of ",
}


class PhotographKind(NamedTuple):
    """The facts of a header.

    Attributes:
        bands: number of bands, without alpha.
        bits: number of bits of a value.
        has_alpha: whether there is a band of transparency, or a transparent colour.
        refusal: what the file holds, and why it cannot be read as RGB; empty if it can.
        stated_bits: how many of 16 bits are in use, if the file states it.
        nodata: the stored value that means no data, if the file states it.
        mask_page: index of the picture in a TIFF file that is 0 where the first one has no data; None: there is none.
    """

    bands: int = 3
    bits: int = 8
    has_alpha: bool = False
    refusal: str = ""
    stated_bits: int | None = None
    nodata: int | None = None
    mask_page: int | None = None


def is_plain(content: bytes) -> bool:
    """Return whether every decoder gives the same 8-bit RGB for a file.

    This holds for PNG, WebP and BMP of up to 8 bits, and for JPEG of one or three bands.
    """
    if content[:2] == b"\xff\xd8":
        return _jpeg_frame(content) in ((8, 1), (8, 3), None)  # None: damaged, which the decoder reports
    if content[:8] == _PNG:
        return len(content) > 24 and content[24] <= 8
    return content[:2] == b"BM" or (content[:4] == b"RIFF" and content[8:12] == b"WEBP")


def read_kind(file: BinaryIO) -> PhotographKind:
    """Read the header of a photograph; formats that have only one kind, and unknown formats, count as 8-bit RGB.

    Args:
        file: seekable; its position is 0 afterwards.
    """
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    try:
        if tiff_tags.is_tiff(head):
            kind = _tiff_kind(tiff_tags.read_tiff_tags(file))
            with contextlib.suppress(ValueError):  # of a file that ends early
                kind = kind._replace(mask_page=tiff_tags.find_mask(file))
            return kind
    except ValueError:  # Pillow reports the error later
        return PhotographKind()
    finally:
        file.seek(0)
    if head[:8] == _PNG and len(head) > 25:
        return _png_kind(head)
    if head[:2] == b"\xff\xd8":
        bits, bands = _jpeg_frame(head) or (8, 3)
        refusal = "" if bits == 8 else f"is a JPEG of {bits} bits; expected 8: save it as PNG or TIFF of 16 bits"
        return PhotographKind(bands, bits, refusal=refusal)
    if head[:4] == b"\0\0\0\x0c" or head[:4] == b"\xff\x4f\xff\x51":
        start = head.find(b"\xff\x51")  # SIZ: sizes, then the number of bands and the bits of each, less 1
        if start >= 0 and len(head) > start + 40:
            bits = (head[start + 40] & 127) + 1
            refusal = "" if bits <= 8 else f"is a JPEG 2000 of {bits} bits, which is not read; save it as PNG or TIFF"
            return PhotographKind(bits=bits, refusal=refusal)
    if netpbm := re.match(rb"P[2356]\s+(?:#.*\s+)*\d+\s+(?:#.*\s+)*\d+\s+(?:#.*\s+)*(\d{1,5})\s", head):
        highest = int(netpbm[1])
        bits = 8 if highest < 256 else 16
        is_all_ones = highest & (highest + 1) == 0  # 1023, 4095, …
        refusal = (
            "" if bits == 8 or is_all_ones else f"has the highest value {highest}; expected 255, 1023, 4095 or 65535"
        )
        return PhotographKind(bits=bits, refusal=refusal, stated_bits=highest.bit_length() if bits == 16 else None)
    return PhotographKind()


def _png_kind(head: bytes) -> PhotographKind:
    bits, color = head[24], head[25]
    chunks = dict(_png_chunks(head))
    significant = chunks.get(b"sBIT", b"")
    stated = max(significant[: _PNG_BANDS.get(color, 3)], default=16)
    return PhotographKind(
        _PNG_BANDS.get(color, 3),
        bits,
        color in _PNG_ALPHA or b"tRNS" in chunks,
        stated_bits=stated if bits == 16 and 8 <= stated < 16 else None,
    )


def _png_chunks(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the chunks before the pixels."""
    for start, length, name in iterate_png_chunks(head):
        if name in (b"IDAT", b"IEND"):
            return
        yield name, head[start + 8 : start + 8 + length]


def _jpeg_frame(content: bytes) -> tuple[int, int] | None:
    """Return the bits and bands of a JPEG; None if it is damaged."""
    start = 2
    while start + 10 <= len(content) and content[start] == 0xFF:
        marker = content[start + 1]
        if marker == 0xFF:  # padding
            start += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:  # markers without a length
            start += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return content[start + 4], content[start + 9]
        elif marker in (0xD9, 0xDA):
            return None
        else:
            start += 2 + struct.unpack_from(">H", content, start + 2)[0]
    return None


def _tiff_kind(tags: dict[int, tiff_tags.Tag]) -> PhotographKind:
    def first(code: int, default: int) -> int:
        return int(tags[code].values[0]) if code in tags and tags[code].values else default

    bands, color = first(tiff_tags.NUM_BANDS, 1), first(tiff_tags.COLOR, _MINISBLACK)
    bits_of_bands = set(tags[tiff_tags.BITS].values if tiff_tags.BITS in tags else (1,))
    bits, sample = max(bits_of_bands), _SAMPLES.get(first(tiff_tags.SAMPLE_FORMAT, 1), "")
    extra = tags[tiff_tags.EXTRA_BANDS].values if tiff_tags.EXTRA_BANDS in tags else ()
    has_alpha = len(extra) == 1 and extra[0] in (1, 2)
    num_colors = bands - has_alpha
    what = f"holds {num_colors} {'band' if num_colors == 1 else 'bands'} of {sample}{bits} bits"
    is_planar = first(tiff_tags.PLANES, 1) == 2 and bands > 1
    refusal = ""
    if num_colors not in ({_CMYK: (4,), _RGB: (3,), _YCBCR: (3,)}.get(color, (1,))):
        marking = {_MINISBLACK: " marked as grey", _RGB: "", _CMYK: " marked as CMYK"}.get(color, "")
        if num_colors == 3:
            refusal = f"{what}{marking}; {EXPECTED}: mark them as RGB (gdal_translate -co PHOTOMETRIC=RGB)"
        else:
            refusal = f"{what}{marking}; {EXPECTED}: choose one or three (such as gdal_translate -b 1 -b 2 -b 3)"
    elif sample or len(bits_of_bands) > 1 or bits > 16:
        refusal = f"{what}; {EXPECTED}: scale them to whole numbers from 0 (gdal_translate -ot Byte -scale)"
    elif 8 < bits < 16 and (bits, num_colors) != (12, 1):
        refusal = f"{what}; {EXPECTED}: store them in 16 bits (gdal_translate -co NBITS=16)"
    elif bits > 8 and (color not in (_MINISBLACK, _RGB) or (has_alpha and num_colors == 1)):
        names = {_MINISWHITE: "white is 0", _PALETTE: "a palette", _CMYK: "CMYK", _YCBCR: "YCbCr"}
        refusal = f"{what} ({names.get(color, 'transparency' if has_alpha else f'colour space {color}')}); {EXPECTED}"
    elif bits > 8 and is_planar:
        refusal = f"{what}, band by band; expected pixel by pixel (gdal_translate -co INTERLEAVE=PIXEL)"
    stated = bits if 8 < bits < 16 else None
    for code in (tiff_tags.HIGHEST, tiff_tags.HIGHEST_BY_TYPE):
        highest = first(code, 0) + 1
        if bits == 16 and 1 << 8 <= highest < 1 << 16 and highest & (highest - 1) == 0:
            stated = highest.bit_length() - 1
    return PhotographKind(num_colors, bits, has_alpha, refusal, stated, _nodata(tags, bits))


def _nodata(tags: dict[int, tiff_tags.Tag], bits: int) -> int | None:
    """Return the value of GDAL's tag for no data, if a pixel can have it."""
    try:
        value = float(tags[tiff_tags.GDAL_NODATA].values[0])
    except (KeyError, IndexError, ValueError):
        return None
    return int(value) if math.isfinite(value) and value == int(value) and 0 <= value < 1 << min(bits, 16) else None
