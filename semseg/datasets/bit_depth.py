"""Which of the 16 bits of a stored value are in use, and how they become 8.

Values are scaled so that the highest value that can occur becomes 255, rounded to the nearest: 65535, or 4095 where
only 12 of the 16 bits are in use. The caller (`bits`) or the file says how many are in use. Where neither does, a file
that never exceeds 4095 is refused, because it would be read as nearly black.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from semseg.datasets.photograph_kind import PhotographKind
from semseg.errors import InvalidDataError

FEWEST_BITS, MOST_BITS = 8, 16
_USUAL_BITS = (8, 10, 12, 14)  # of cameras and scanners that store 16


class Depth(NamedTuple):
    """The values of a photograph of more than 8 bits.

    Attributes:
        highest: value, of the pixels that hold data.
        looks_like: the fewest bits of a usual kind that hold all values, if these are fewer than 16.
        is_left_aligned: whether the bits that the file states are the upper ones, as the PNG standard has it.
    """

    highest: int
    looks_like: int | None
    is_left_aligned: bool = False


def check_bits(bits: Any, name: str = "bits") -> int | None:
    """Return the number of bits in use as it is given, if it can be one.

    Raises:
        ValueError: it is no whole number from 8 to 16.
    """
    if bits is not None and (type(bits) is not int or not FEWEST_BITS <= bits <= MOST_BITS):
        raise InvalidDataError(
            f"{name} {bits!r}: expected how many of 16 bits are in use, a whole number from 8 to 16, such as 12"
        )
    return bits


def measure_depth(values: np.ndarray, nodata: np.ndarray | None, kind: PhotographKind) -> Depth:
    """Measure which of the 16 bits are in use.

    Args:
        values: uint16, shape (height, width, bands).
        nodata: bool, shape (height, width); these pixels do not count.
        kind: what the header says.
    """
    valid = values if nodata is None else values[~nodata]
    highest = int(valid.max(initial=0))
    looks_like = next((bits for bits in _USUAL_BITS if highest < 1 << bits), None) if highest else None
    left = False
    if kind.stated_bits and kind.bits == 16 and highest:
        low = valid & ((1 << 16 - kind.stated_bits) - 1)  # below the stated bits: zeros, or the upper bits again
        left = not low.any() or bool((low == valid >> kind.stated_bits).all()) or highest >= 1 << kind.stated_bits
    return Depth(highest, looks_like, left)


def used_bits(depth: Depth, stated_bits: int | None, bits: int | None = None) -> int:
    """Return how many bits are in use.

    Args:
        depth: of the photograph.
        stated_bits: what its header says.
        bits: what the caller says, which goes before everything else.

    Raises:
        ValueError: values are higher than so many bits hold; or nobody says how many are in use, and it seems that
            not all are.
    """
    if bits is not None:
        check_highest(depth.highest, bits)
        return bits
    if stated_bits and not depth.is_left_aligned and depth.highest < 1 << stated_bits:
        return stated_bits
    if depth.looks_like and not depth.is_left_aligned:
        raise InvalidDataError(
            f"stores 16 bits and never exceeds {(1 << depth.looks_like) - 1} (highest value {depth.highest}), so it"
            f" seems to use {depth.looks_like} bits and would be read as nearly black; say so with --bits"
            f" {depth.looks_like}, or bits: {depth.looks_like} in dataset.yaml (16 if it is only dark)"
        )
    return MOST_BITS


def check_highest(highest: int, bits: int) -> None:
    """Raise a ValueError if so many bits cannot hold a value."""
    if highest >= 1 << bits:
        raise InvalidDataError(
            f"holds values up to {highest}, and {bits} bits end at {(1 << bits) - 1}; set bits to what is in use, or to"
            " 16"
        )


def scale_to_8_bits(values: np.ndarray, bits: int) -> np.ndarray:
    """Scale values of some bits so that their highest becomes 255: uint8, rounded to the nearest."""
    return _scaling(bits)[values]


@lru_cache(maxsize=16)
def _scaling(bits: int) -> np.ndarray:
    highest = (1 << bits) - 1
    values = np.minimum(np.arange(1 << MOST_BITS, dtype=np.int64), highest)
    return ((values * 255 + highest // 2) // highest).astype(np.uint8)
