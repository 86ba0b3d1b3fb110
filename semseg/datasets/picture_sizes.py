"""Read the sizes of the photographs of a data set from their headers, without decoding a pixel."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from PIL import Image

from semseg.datasets.dataset_file import DatasetFile
from semseg.datasets.image_files import measure_image
from semseg.datasets.pairs import find_pairs
from semseg.datasets.photograph_kind import PhotographKind, read_kind
from semseg.datasets.stored_bands import read_header

T = TypeVar("T")

_MOST_READ = 256  # headers


class Picture(NamedTuple):
    """What the header of a photograph says.

    Attributes:
        width, height: as a training sees them, after EXIF has turned the picture.
        bands: number of bands, without alpha.
        bits: number of bits of a value.
    """

    width: int
    height: int
    bands: int
    bits: int


def sample_pictures(sets: Sequence[DatasetFile], splits: Sequence[str]) -> list[Picture]:
    """Read the headers of about 256 photographs, spread evenly over all sets, with at least one of each.

    Files that cannot be read are left out, and so are splits whose folders are missing: the check before a run
    reports them.

    Args:
        sets: from `read_dataset_file`.
        splits: names in the order of preference; of each set, the first that it has is read.
    """
    paths_of = [_photographs_of(rules, splits) for rules in sets]
    step = _stride(sum(map(len, paths_of)))
    pictures = [
        _read_header(path, rules) for rules, paths in zip(sets, paths_of, strict=True) for path in paths[::step]
    ]
    return [picture for picture in pictures if picture is not None]


def _photographs_of(rules: DatasetFile, splits: Sequence[str]) -> list[Path]:
    split = next((name for name in splits if name in rules.splits), None)
    try:
        return [] if split is None else [pair.image_path for pair in find_pairs(rules, split).pairs]
    except (ValueError, OSError):
        return []


def spread_sample(items: Sequence[T]) -> list[T]:
    """Return at most 256 of the items, spread evenly."""
    return list(items[:: _stride(len(items))])


def _stride(count: int) -> int:
    return max(1, -(-count // _MOST_READ))


def num_bits(path: Path) -> int:
    """Return how many bits the values of a photograph have; 8 if the file cannot be read."""
    try:
        with path.open("rb") as file:
            return read_kind(file).bits
    except OSError:
        return PhotographKind().bits


def _read_header(path: Path, rules: DatasetFile) -> Picture | None:
    try:
        if rules.bands is not None:
            header = read_header(path, rules.exif)
            return Picture(header.width, header.height, header.num_bands, 8 * header.dtype.itemsize)
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures, and of invalid EXIF
            kind = read_kind(file)
            stored, upright = measure_image(file)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    width, height = upright if rules.exif == "apply" else stored
    return Picture(width, height, kind.bands, kind.bits)
