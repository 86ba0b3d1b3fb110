"""Read tags of a TIFF file without decoding it: the kind of values, the place on earth, and which picture is a mask."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from semseg.errors import InvalidDataError

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, COLOR, ORIENTATION, NUM_BANDS = 254, 256, 257, 258, 259, 262, 274, 277
HIGHEST, PLANES, EXTRA_BANDS, SAMPLE_FORMAT, HIGHEST_BY_TYPE = 281, 284, 338, 339, 341
GDAL_NODATA = 42113
PLACE_TAGS = (33550, 33922, 34264, 34735, 34736, 34737)
"""GeoTIFF: the place of the picture on earth."""

_WANTED = {
    SUBFILE,
    *(WIDTH, HEIGHT, BITS, COMPRESSION, COLOR, ORIENTATION, NUM_BANDS),
    *(HIGHEST, PLANES, EXTRA_BANDS, SAMPLE_FORMAT, HIGHEST_BY_TYPE),
    GDAL_NODATA,
    *PLACE_TAGS,
}
_CODES = {1: "B", 2: "s", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q"}
_MASK = 4  # bit of SUBFILE: the picture says which pixels of another one have data
_MAX_PICTURES = 1000  # of a file whose chain of pictures may be a circle
_MAX_BYTES = 1 << 20  # of the values of a tag; longer ones are not read
_HEADERS = {b"II*\0": ("<", False), b"MM\0*": (">", False), b"II+\0": ("<", True), b"MM\0+": (">", True)}


class Tag(NamedTuple):
    """One tag.

    Attributes:
        kind: type of its values, as numbered by TIFF: 2 text, 3 unsigned 16 bits, 12 float64, …
        values: numbers; for a text, one string without the zero at its end.
    """

    kind: int
    values: tuple[Any, ...]


def is_tiff(head: bytes) -> bool:
    """Return whether a file that starts with these bytes is a TIFF or BigTIFF file."""
    return head[:4] in _HEADERS


def read_tiff_tags(file: BinaryIO) -> dict[int, Tag]:
    """Read those tags of the first picture that this project uses.

    Args:
        file: seekable; its position changes.

    Raises:
        ValueError: it is not a TIFF file, or ends before its tags.
    """
    return next(_directories(file))


def find_mask(file: BinaryIO) -> int | None:
    """Return the index of the picture that says which pixels of the first one have data; None if there is none.

    GDAL writes one instead of a band of transparency beside JPEG. Masks of overviews have other sizes.

    Args:
        file: seekable; its position changes.

    Raises:
        ValueError: it is not a TIFF file, or ends before its tags.
    """
    size: list[Any] = []
    for index, tags in enumerate(_directories(file)):
        found = [tags[code].values for code in (WIDTH, HEIGHT) if code in tags]
        if index == 0:
            size = found
        elif found == size and SUBFILE in tags and tags[SUBFILE].values[0] & _MASK:
            return index
    return None


def _directories(file: BinaryIO) -> Iterator[dict[int, Tag]]:
    """Yield the tags of one picture after the other."""
    file.seek(0)
    head = file.read(16)
    if not is_tiff(head):
        raise InvalidDataError("not a TIFF file", code="E-data-unreadable")
    order, is_big = _HEADERS[head[:4]]
    word, size = order + ("Q" if is_big else "I"), 20 if is_big else 12
    try:
        (start,) = struct.unpack_from(word, head, 8 if is_big else 4)
        for _ in range(_MAX_PICTURES):
            file.seek(start)
            (count,) = struct.unpack(order + ("Q" if is_big else "H"), file.read(8 if is_big else 2))
            entries = file.read(size * min(count, 4096))
            after = file.read(struct.calcsize(word))
            tags = {}
            for position in range(0, len(entries) - size + 1, size):
                code, kind, length = struct.unpack_from(order + ("HHQ" if is_big else "HHI"), entries, position)
                if code in _WANTED and kind in _CODES:
                    field = entries[position + (12 if is_big else 8) : position + size]
                    tags[code] = Tag(kind, _values(file, order, kind, length, field))
            yield tags
            start = struct.unpack(word, after)[0] if count <= 4096 and len(after) == struct.calcsize(word) else 0
            if not start:
                return
    except (struct.error, OverflowError, OSError) as error:
        raise InvalidDataError("a TIFF file that ends before its tags", code="E-data-unreadable") from error


def _values(file: BinaryIO, order: str, kind: int, length: int, field: bytes) -> tuple[Any, ...]:
    """Read the values of a tag: from its field, or from the offset that the field holds."""
    num_bytes = struct.calcsize(_CODES[kind]) * length
    if num_bytes > _MAX_BYTES:
        return ()
    if num_bytes > len(field):
        file.seek(struct.unpack(order + ("Q" if len(field) == 8 else "I"), field)[0])
        field = file.read(num_bytes)
    values = struct.unpack_from(f"{order}{length}{_CODES[kind]}", field)
    return (values[0].rstrip(b"\0").decode("latin-1"),) if kind == 2 else values
