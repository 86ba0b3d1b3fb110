"""Measure the bands of a training split: the ranges of their values, their means and deviations.

A bounded and fixed sample is read, so that the same files always give the same numbers: at most 256 pictures, spread
evenly over the list, and of each at most about 16384 pixels on a regular grid.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from semseg.datasets.band_rules import BandRules, Range
from semseg.datasets.bands import Bands, check_numbers, find_missing, is_transparent
from semseg.datasets.dataset_file import DatasetFile
from semseg.datasets.pairs import find_pairs
from semseg.datasets.photographs import MOST_PIXELS
from semseg.datasets.stored_bands import read_header, read_stored
from semseg.errors import InvalidDataError

T = TypeVar("T")

_MOST_PICTURES = 256
_MOST_DECODED = 1 << 28  # pixels of all pictures that are read
_PIXELS = 1 << 14  # of one picture that are measured
_DIGITS = 6  # to which numbers are rounded
_LEAST_DEVIATION = 1e-3  # of 255; a band without any difference is not divided by less


class Measured(NamedTuple):
    """The bands of the training split of one set, after they became 0 to 255.

    Attributes:
        ranges: of each band, the stored values that become 0 and 255.
        split: that was read.
        num_pictures: that were read.
        counts: of the measured pixels with data, for each band.
        sums, squares: of their values, 0 to 255, and of the squares of these, for each band.
    """

    ranges: tuple[Range, ...]
    split: str
    num_pictures: int
    counts: np.ndarray
    sums: np.ndarray
    squares: np.ndarray


@functools.lru_cache(maxsize=16)
def measure_bands(rules: DatasetFile) -> Measured:
    """Measure the bands of the split `train` of a dataset.yaml; without one, of its first split.

    Raises:
        FileNotFoundError, ValueError: those of `find_pairs`; a picture cannot be read or lacks a band; a band has no
            data; or its percentiles are equal.
    """
    assert rules.bands is not None
    split = "train" if "train" in rules.splits else next(iter(rules.splits))
    paths = [pair.image_path for pair in find_pairs(rules, split).pairs]
    if not paths:
        raise InvalidDataError(f"{rules.path}: split {split} has no picture to measure", code="E-data-empty")
    sample = _spread(paths, _largest_number(paths, rules.exif))
    columns = [_read_sample(path, rules) for path in sample]
    ranges, sums = [], []
    for position, number in enumerate(rules.bands.numbers):
        values = np.concatenate([picture[position] for picture in columns])
        if not values.size:
            raise InvalidDataError(
                f"{rules.path}: band {number} has no data in {len(sample)} pictures of split {split}",
                code="E-data-bands",
            )
        low, high = rules.bands.ranges[position] if rules.bands.ranges else _percentiles(values, number, rules)
        scaled = np.clip((values - low) * (255 / (high - low)), 0, 255)
        ranges.append((low, high))
        sums.append((scaled.size, scaled.sum(), np.square(scaled).sum()))
    counts, totals, squares = np.array(sums, np.float64).T
    return Measured(tuple(ranges), split, len(sample), counts, totals, squares)


def mean_and_std(measured: Sequence[Measured]) -> tuple[list[float], list[float]]:
    """Return the mean and the standard deviation of each channel over several sets, 0 to 255."""
    columns = ("counts", "sums", "squares")
    count, total, squares = (np.sum([getattr(one, name) for one in measured], axis=0) for name in columns)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    std[std < _LEAST_DEVIATION] = 1
    return [_rounded(value) for value in mean], [_rounded(value) for value in std]


def describe_bands(rules: DatasetFile) -> Bands:
    """Return how the pictures of a dataset.yaml are read where no training has recorded it, such as to show them.

    Raises:
        FileNotFoundError, ValueError: as `measure_bands`.
    """
    assert rules.bands is not None
    measured = measure_bands(rules)
    return bands_from(rules.bands, measured.ranges, mean_and_std([measured])[0])


def bands_from(rules: BandRules, ranges: Sequence[Range], means: Sequence[float]) -> Bands:
    """Join the rules of a dataset.yaml with the numbers that were measured."""
    return Bands(rules.numbers, tuple(ranges), tuple(means), rules.nodata, rules.rgb)


def _percentiles(values: np.ndarray, number: int, rules: DatasetFile) -> Range:
    assert rules.bands is not None and rules.bands.percentiles is not None
    low, high = (_rounded(value) for value in np.percentile(values, rules.bands.percentiles))
    if low >= high:
        raise InvalidDataError(
            f"{rules.path}: band {number} is {low:g} at both percentiles {list(rules.bands.percentiles)}; state its"
            " range as two numbers",
            code="E-data-bands",
        )
    return low, high


def _largest_number(paths: Sequence[Path], exif: str) -> int:
    """Return how many pictures can be read, from the size of some."""
    sizes = []
    for path in _spread(paths, 8):
        header = _named(path, lambda path: read_header(path, exif))
        sizes.append(header.width * header.height)
    return max(1, min(_MOST_PICTURES, _MOST_DECODED // max(sizes)))


def _read_sample(path: Path, rules: DatasetFile) -> list[np.ndarray]:
    """Return the measured values with data of each band, float64."""
    assert rules.bands is not None
    numbers, nodata = rules.bands.numbers, rules.bands.nodata
    stored = _named(path, lambda path: read_stored(path, rules.exif, MOST_PIXELS))
    _named(path, lambda _: check_numbers(numbers, stored.header))
    height, width = stored.values.shape[:2]
    step = max(1, math.ceil(math.sqrt(height * width / _PIXELS)))
    grid = slice(min(step // 2, height - 1), None, step), slice(min(step // 2, width - 1), None, step)
    transparent = is_transparent(stored, numbers)
    sampled = []
    for number in numbers:
        plane = stored.values[..., number - 1][grid]
        missing = find_missing(plane, stored.header, nodata)
        if transparent is not None:
            missing |= transparent[grid]
        sampled.append(plane[~missing].astype(np.float64))
    return sampled


def _named(path: Path, read: Callable[[Path], T]) -> T:
    """Call a function with a path, and name the path in its errors."""
    try:
        return read(path)
    except InvalidDataError as error:
        raise InvalidDataError(f"{path}: {error}", code=error.code) from error


def _spread(paths: Sequence[Path], count: int) -> list[Path]:
    indices = np.linspace(0, len(paths) - 1, min(len(paths), count)).round().astype(int)
    return [paths[index] for index in indices]


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
