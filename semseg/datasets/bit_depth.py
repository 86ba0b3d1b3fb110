"""Which of the 16 bits of a stored value are in use, and how they become 8.

Values are scaled so that the highest value that can occur becomes 255, rounded to the nearest: 65535, or 4095 where
only 12 of the 16 bits are in use. The caller (`bits`) or the file states how many are in use. If neither does, a file
whose values never exceed 4095 is refused, because it would be read as nearly black.
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
        highest: the highest value of the pixels that hold data.
        looks_like: the smallest usual number of bits that holds all values, if it is below 16.
        is_left_aligned: whether the bits that the file states are the upper ones, as in the PNG standard.
    """

    highest: int
    looks_like: int | None
    is_left_aligned: bool = False


def check_bits(bits: Any, name: str = "bits") -> int | None:
    """Return the given number of bits in use, after checking it.

    Raises:
        ValueError: it is not a whole number from 8 to 16.
    """
    if bits is not None and (type(bits) is not int or not FEWEST_BITS <= bits <= MOST_BITS):
        raise InvalidDataError(
            f"{name} {bits!r}: expected how many of 16 bits are in use, a whole number from 8 to 16, such as 12",
            code="E-data-bits",
        )
    return bits


def measure_depth(values: np.ndarray, nodata: np.ndarray | None, kind: PhotographKind) -> Depth:
    """Measure which of the 16 bits are in use.

    Args:
        values: uint16, shape (height, width, bands).
        nodata: bool, shape (height, width); these pixels are left out.
        kind: the facts of the header.
    """
    valid = values if nodata is None else values[~nodata]
    highest = int(valid.max(initial=0))
    looks_like = next((bits for bits in _USUAL_BITS if highest < 1 << bits), None) if highest else None
    is_left_aligned = False
    if kind.stated_bits and kind.bits == 16 and highest:
        low = valid & ((1 << 16 - kind.stated_bits) - 1)  # below the stated bits: zeros, or the upper bits again
        repeats_upper_bits = bool((low == valid >> kind.stated_bits).all())
        is_left_aligned = not low.any() or repeats_upper_bits or highest >= 1 << kind.stated_bits
    return Depth(highest, looks_like, is_left_aligned)


def used_bits(depth: Depth, stated_bits: int | None, bits: int | None = None) -> int:
    """Return how many bits are in use.

    Args:
        depth: of the photograph.
        stated_bits: what its header states.
        bits: what the caller states, which overrides everything else.

    Raises:
        ValueError: values are too high for that number of bits; or neither the caller nor the header states how many
            are in use, and the values suggest that not all 16 are.
    """
    if bits is not None:
        check_highest(depth.highest, bits)
        return bits
    if stated_bits and not depth.is_left_aligned and depth.highest < 1 << stated_bits:
        return stated_bits
    if depth.looks_like and not depth.is_left_aligned:
        raise InvalidDataError(
            f"stores 16 bits and never exceeds {(1 << depth.looks_like) - 1} (highest value {depth.highest}), so it"
            f" seems to use {depth.looks_like} bits and would be read as nearly black; set `bits`"
            f" {depth.looks_like}, or bits: {depth.looks_like} in dataset.yaml (16 if it is only dark)",
            code="E-data-bits",
        )
    return MOST_BITS


def check_highest(highest: int, bits: int) -> None:
    """Raise a ValueError if a value is too high for that number of bits."""
    if highest >= 1 << bits:
        raise InvalidDataError(
            f"holds values up to {highest}, and {bits} bits end at {(1 << bits) - 1}; set bits to what is in use, or to"
            " 16",
            code="E-data-bits",
        )


def scale_to_8_bits(values: np.ndarray, bits: int) -> np.ndarray:
    """Scale values so that the highest one of `bits` bits becomes 255: uint8, rounded to the nearest."""
    return _scaling(bits)[values]


@lru_cache(maxsize=16)
def _scaling(bits: int) -> np.ndarray:
    highest = (1 << bits) - 1
    values = np.minimum(np.arange(1 << MOST_BITS, dtype=np.int64), highest)
    return ((values * 255 + highest // 2) // highest).astype(np.uint8)
