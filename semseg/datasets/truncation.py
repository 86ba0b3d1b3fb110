"""Check whether a picture file is complete, without decoding it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_STANDALONE = {0x01, *range(0xD0, 0xD8)}  # JPEG markers without a length: TEM, RST0 to RST7


def find_damage(content: bytes) -> str:
    """Say what is missing or changed in a PNG, JPEG, WebP or BMP file; empty: no damage found.

    PNG: the checksum of every chunk up to the end mark is compared. JPEG: there must be an end mark after the pixels
    (one in an embedded preview doesn't count). WebP, BMP: the length must be the one in the header.
    """
    if not content:
        return "zero bytes"
    if content.startswith(_PNG):
        return _find_png_damage(content)
    if content.startswith(_JPEG):
        return _find_jpeg_damage(content)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _check_length(content, struct.unpack("<I", content[4:8])[0] + 8)
    if content[:2] == b"BM" and len(content) >= 6:
        return _check_length(content, struct.unpack("<I", content[2:6])[0])
    return "" if any(content[:64]) else "only zeros at its beginning"


def find_png_chunk(content: bytes, kind: bytes) -> bytes | None:
    """Return the data of the first chunk of a kind such as `eXIf`; None: not a PNG, or it has none."""
    for start, length, chunk_kind in iterate_png_chunks(content) if content.startswith(_PNG) else ():
        if chunk_kind == kind:
            return content[start + 8 : start + 8 + length]
    return None


def iterate_png_chunks(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield position, number of data bytes and kind of each chunk of a PNG; the content may be cut off."""
    start = len(_PNG)
    while start + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, start)
        yield start, length, kind
        start += length + 12


def _find_png_damage(content: bytes) -> str:
    view = memoryview(content)
    for start, length, kind in iterate_png_chunks(content):
        end = start + 8 + length
        if end + 4 > len(content):
            break
        if zlib.crc32(view[start + 4 : end]) != struct.unpack_from(">I", content, end)[0]:
            return f"damaged: checksum of a part {kind.decode('ascii', 'replace')!r} differs"
        if kind == b"IEND":
            return ""
    return "truncated: no end mark"


def _find_jpeg_damage(content: bytes) -> str:
    start = 2
    while start + 4 <= len(content):
        if content[start] != 0xFF:
            return "damaged: no marker where one belongs"
        marker = content[start + 1]
        if marker == 0xFF:  # padding
            start += 1
        elif marker in _STANDALONE:
            start += 2
        elif marker == 0xDA:  # the pixels; a 0xFF in them is never followed by 0xD9
            return "" if content.find(b"\xff\xd9", start) > 0 else "truncated: no end mark"
        else:
            start += 2 + struct.unpack_from(">H", content, start + 2)[0]
    return "truncated: no pixels"


def _check_length(content: bytes, stated: int) -> str:
    return "" if len(content) >= stated else f"truncated: {len(content)} of {stated} bytes"
