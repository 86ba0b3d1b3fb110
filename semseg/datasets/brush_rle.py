"""Label Studio's run lengths of brush regions: a packed stream of bits, read and written.

The stream holds four equal values per pixel (red, green, blue, opacity), row by row. It is the format of
`@thi.ng/rle-pack` (https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack), with which the web page of Label
Studio reads and writes brush regions, most significant bit first:

    32 bits  number of values, 4 x width x height
     5 bits  width of a value, minus 1
    4x4 bits widths of the four kinds of lengths, each minus 1
    then pieces, until all values are there:
     1 bit   1: one value, repeated; 0: values one by one
     2 bits  kind of the length
     n bits  length, minus 1
     the value, or the values
    zeros up to a whole byte

A pixel belongs to the region if its opacity is not 0, as the page and the exports of Label Studio decide.
"""

from __future__ import annotations

import numpy as np

from semseg.errors import InvalidDataError

_VALUE_BITS = 8
_LENGTH_BITS = (3, 4, 8, 16)
_HEADER_BITS = 32 + 5 + 4 * 4
_PIECE_BITS = 3  # repeated or not, and the kind of the length
_PER_PIXEL = 4
_ALL = (1 << 64) - 1


def encode_brush(mask: np.ndarray) -> bytes:
    """Return the run lengths of a mask; the same bytes as `label_studio_sdk.converter.brush.mask2rle`.

    Args:
        mask: bool, shape (height, width); its pixels get the value 255.
    """
    runs, values = _find_runs(mask.ravel())
    runs *= _PER_PIXEL
    longest = 1 << _LENGTH_BITS[-1]
    num_parts = np.maximum(1, -(-runs // longest))
    parts = np.full(num_parts.sum(), longest, np.int64)
    parts[np.cumsum(num_parts) - 1] = runs - (num_parts - 1) * longest
    is_long = np.repeat(num_parts, num_parts) > 1  # all parts of a long run have the longest kind of length
    kinds = np.searchsorted([1 << bits for bits in _LENGTH_BITS[:-1]], parts)
    kinds[is_long] = len(_LENGTH_BITS) - 1
    widths = np.array(_LENGTH_BITS)[kinds]
    codes = ((4 | kinds) << widths | (parts - 1)) << _VALUE_BITS | np.where(np.repeat(values, num_parts), 255, 0)
    header = mask.size * _PER_PIXEL
    for bits, number in ((5, _VALUE_BITS - 1), *((4, width - 1) for width in _LENGTH_BITS)):
        header = header << bits | number
    codes = np.concatenate([[header], codes])
    widths = np.concatenate([[_HEADER_BITS], _PIECE_BITS + widths + _VALUE_BITS])
    return _pack(codes, widths)


def decode_brush(stream: bytes, size: tuple[int, int]) -> np.ndarray:
    """Return the pixels of a brush region: bool, shape (height, width).

    Args:
        stream: from `encode_brush` or Label Studio.
        size: height, width.

    Raises:
        ValueError: the stream has another size, or is damaged.
    """
    height, width = size
    num_values = height * width * _PER_PIXEL
    num_bits = 8 * len(stream)
    padded = stream + bytes(8)

    def peek(position: int) -> int:
        """Return the 56 bits, or a few more, from a position on, as the upper bits of 64."""
        first = position >> 3
        return int.from_bytes(padded[first : first + 8], "big") << (position & 7) & _ALL

    if num_bits < _HEADER_BITS:
        raise InvalidDataError("brush that is truncated", code="E-data-annotation")
    header = peek(0) >> 64 - _HEADER_BITS
    stored = header >> 21
    if stored != num_values:
        raise InvalidDataError(
            f"brush of {stored} values; expected {width}x{height}x{_PER_PIXEL}={num_values}", code="E-data-annotation"
        )
    value_bits = (header >> 16 & 31) + 1
    length_bits = [(header >> shift & 15) + 1 for shift in (12, 8, 4, 0)]
    lengths: list[int] = []
    values: list[bool] = []
    done, position = 0, _HEADER_BITS
    while done < num_values:
        word = peek(position)
        kind_bits = length_bits[word >> 61 & 3]
        end = done + 1 + (word << _PIECE_BITS & _ALL) // (1 << 64 - kind_bits)
        is_repeated = word >> 63
        position += _PIECE_BITS + kind_bits
        after = position + value_bits * (1 if is_repeated else end - done)
        if after > num_bits:
            raise InvalidDataError("brush that is truncated", code="E-data-annotation")
        if end > num_values:
            raise InvalidDataError(f"brush with more than its {num_values} values", code="E-data-annotation")
        if is_repeated:
            lengths.append(end - done)
            values.append(peek(position) >> 64 - value_bits != 0)
        else:
            lengths += [1] * (end - done)
            values += [peek(place) >> 64 - value_bits != 0 for place in range(position, after, value_bits)]
        done, position = end, after
    return np.repeat(values, lengths)[_PER_PIXEL - 1 :: _PER_PIXEL].reshape(size)


def _find_runs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lengths of the runs of equal values, int64, and their values."""
    ends = np.append(np.flatnonzero(values[1:] != values[:-1]), len(values) - 1)
    return np.diff(ends, prepend=-1), values[ends]


def _pack(codes: np.ndarray, widths: np.ndarray) -> bytes:
    """Write numbers one after another, most significant bit first, with at least one zero after them."""
    ends = np.cumsum(widths)
    shifts = np.repeat(ends, widths) - np.arange(ends[-1]) - 1
    bits = (np.repeat(codes, widths) >> shifts & 1).astype(np.uint8)
    padding = 8 - int(ends[-1]) % 8  # a whole byte where none is missing, as Label Studio's own encoder does
    return np.packbits(np.concatenate([bits, np.zeros(padding, np.uint8)])).tobytes()
