"""Parts of a set of images that are looked at apart: by folder, by the columns of a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from semseg.errors import InvalidInputError, MissingInputError
from semseg.system.folders import IMAGE_SUFFIXES
from semseg.system.path_lists import read_list_text

Slices = Mapping[str, Sequence[str]]
"""Name of a slicing to the part that each image belongs to, in the order of the images; "" for none."""

_IMAGE = "image"


def by_folder(images: Sequence[str]) -> dict[str, list[str]]:
    """Slice by the first folder (in Cityscapes the city), where there are several.

    Args:
        images: names relative to the folder of the images.
    """
    folders = [PurePosixPath(image).parts[0] if len(PurePosixPath(image).parts) > 1 else "" for image in images]
    return {"folder": folders} if len(set(folders)) > 1 else {}


def from_table(path: Path, images: Sequence[str]) -> dict[str, list[str]]:
    """Slice by every column of a CSV file but the first named `image`, which says which image a row is of.

    Args:
        path: CSV with a head; an image is named by its path relative to the folder of the images, or by its last
            parts, with or without suffix.
        images: names relative to the folder of the images.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no column `image`, no other, an image in two rows or in none.
    """
    if not path.is_file():
        raise MissingInputError(f"no table of slices {path}")
    reader = csv.DictReader(io.StringIO(read_list_text(path), newline=""))
    head = tuple(reader.fieldnames or ())
    rows = list(reader)
    columns = [name for name in head if name and name != _IMAGE]
    if _IMAGE not in head or not columns:
        found = ", ".join(head) or "nothing"
        raise InvalidInputError(
            f"{path}: expected a column 'image' and others to slice by in its first line, found {found}"
        )
    by_end: dict[str, dict] = {}
    for row in rows:
        end = _without_suffix(row[_IMAGE] or "")
        if end in by_end:
            raise InvalidInputError(f"{path}: {row[_IMAGE]} stands in two rows")
        by_end[end] = row
    found_rows = [next((by_end[end] for end in _ends(image) if end in by_end), None) for image in images]
    missing = [image for image, row in zip(images, found_rows, strict=True) if row is None]
    if missing:
        raise InvalidInputError(f"{path}: {len(missing)} of {len(images)} images have no row, first {missing[0]}")
    return {column: [(row[column] or "").strip() for row in found_rows] for column in columns}


def _ends(image: str) -> list[str]:
    parts = PurePosixPath(_without_suffix(image)).parts
    return ["/".join(parts[i:]) for i in range(len(parts))]


def _without_suffix(image: str) -> str:
    path = PurePosixPath(image.strip().replace("\\", "/"))
    return str(path.with_suffix("")) if path.suffix.lower() in IMAGE_SUFFIXES else str(path)
