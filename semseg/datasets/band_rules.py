"""The keys of a dataset.yaml about the bands of its pictures."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from semseg.errors import InvalidDataError

KEYS = ("bands", "range", "nodata", "rgb")
"""Keys of a dataset.yaml that are about bands."""

_MOST_BANDS = 512  # that OpenCV scales
_EXPECTED_RANGE = (
    "expected the values that become 0 and 255, such as [0, 10000], one such pair for each band, or {percentiles:"
    " [2, 98]}, which are measured in the training split"
)

Range = tuple[float, float]


@dataclass(frozen=True)
class BandRules:
    """What a dataset.yaml says about the bands of its pictures.

    Attributes:
        numbers: of the bands in the file, from 1; each becomes a channel.
        ranges: of each band, the stored values that become 0 and 255; None: they are measured.
        percentiles: that are measured as ranges, 0 to 100.
        nodata: the stored value that means no data, besides that of the file.
        rgb: the channels, from 0, that are shown as red, green and blue; None: all three, or the first as grey.
    """

    numbers: tuple[int, ...]
    ranges: tuple[Range, ...] | None
    percentiles: Range | None = None
    nodata: float | None = None
    rgb: tuple[int, int, int] | None = None


def read_band_rules(content: Mapping[str, Any]) -> BandRules | None:
    """Read and check the keys `bands`, `range`, `nodata` and `rgb` of a dataset.yaml; None if it has none of them.

    Raises:
        ValueError: a value is wrong, or one key needs another one.
    """
    given = [key for key in KEYS if content.get(key) is not None]
    if not given:
        return None
    for needed in ("bands", "range"):
        if needed not in given:
            raise InvalidDataError(f"{given[0]}: needs the key {needed}, too; {_EXPECTED_RANGE}", code="E-data-bands")
    if content.get("bits") is not None:
        raise InvalidDataError("bits has no effect with bands, whose values range: scales", code="E-data-bands")
    numbers = _read_numbers("bands", content["bands"])
    ranges, percentiles = _read_range(content["range"], len(numbers))
    nodata = content.get("nodata")
    if nodata is not None and not _is_number(nodata):
        raise InvalidDataError(f"nodata: {nodata!r}: expected a number, such as -9999", code="E-data-bands")
    rgb = None
    if content.get("rgb") is not None:
        shown = _read_numbers("rgb", content["rgb"])
        if len(shown) != 3 or not set(shown) <= set(numbers) or len(numbers) == 3:
            raise InvalidDataError(
                f"rgb: {list(shown)}: expected three of bands: {list(numbers)}, the red, green and blue one; three"
                " bands alone are in this order already",
                code="E-data-bands",
            )
        red, green, blue = (numbers.index(number) for number in shown)
        rgb = red, green, blue
    return BandRules(numbers, ranges, percentiles, None if nodata is None else float(nodata), rgb)


def _read_numbers(key: str, value: Any) -> tuple[int, ...]:
    numbers = [value] if type(value) is int else value
    whole = isinstance(numbers, list) and all(type(number) is int and number > 0 for number in numbers)
    if not whole or not 0 < len(numbers) <= _MOST_BANDS or len(set(numbers)) < len(numbers):
        raise InvalidDataError(
            f"{key}: {value!r}: expected numbers of bands, counted from 1, each once, such as [4, 3, 2]",
            code="E-data-bands",
        )
    return tuple(numbers)


def _read_range(value: Any, num_bands: int) -> tuple[tuple[Range, ...] | None, Range | None]:
    """Return the ranges of the bands, or else the percentiles that give them."""
    if isinstance(value, dict):
        pair = value.get("percentiles") or []
        if set(value) == {"percentiles"} and _is_pair(pair) and pair[0] >= 0 and pair[1] <= 100:
            return None, (float(pair[0]), float(pair[1]))
    elif _is_pair(value):
        return ((float(value[0]), float(value[1])),) * num_bands, None
    elif isinstance(value, list) and len(value) == num_bands and all(map(_is_pair, value)):
        return tuple((float(low), float(high)) for low, high in value), None
    raise InvalidDataError(f"range: {value!r}: {_EXPECTED_RANGE}", code="E-data-bands")


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)) and value[0] < value[1]


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max  # a whole number can be larger
