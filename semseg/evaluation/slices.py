"""Groups of images that get scores of their own: by folder, or by the columns of a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from semseg.errors import InvalidInputError, MissingInputError
from semseg.system.folders import IMAGE_SUFFIXES
from semseg.system.path_lists import read_list_text

Slices = Mapping[str, Sequence[str]]
"""Name of a criterion to the group of each image, in the order of the images; "" for none."""

_IMAGE = "image"


def by_folder(images: Sequence[str]) -> dict[str, list[str]]:
    """Group images by their first folder (in Cityscapes the city), if there are several.

    Args:
        images: names relative to the folder of the images.
    """
    folders = [PurePosixPath(image).parts[0] if len(PurePosixPath(image).parts) > 1 else "" for image in images]
    return {"folder": folders} if len(set(folders)) > 1 else {}


def from_table(path: Path, images: Sequence[str]) -> dict[str, list[str]]:
    """Group images by every column of a CSV file except `image`, which names the image of a row.

    Args:
        path: CSV with a header; an image is named by its path relative to the folder of the images, or by the last
            parts of that path, with or without suffix.
        images: names relative to the folder of the images.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no column `image`, no other column, an image in two rows or in none.
    """
    if not path.is_file():
        raise MissingInputError(f"no table of slices {path}", code="E-input-missing")
    reader = csv.DictReader(io.StringIO(read_list_text(path), newline=""))
    header = tuple(reader.fieldnames or ())
    rows = list(reader)
    columns = [name for name in header if name and name != _IMAGE]
    if _IMAGE not in header or not columns:
        raise InvalidInputError(
            f"{path}: expected a column 'image' and others to slice by in its first line, found"
            f" {', '.join(header) or 'nothing'}",
            code="E-input-table",
        )
    row_of: dict[str, dict] = {}
    for row in rows:
        name = _without_suffix(row[_IMAGE] or "")
        if name in row_of:
            raise InvalidInputError(f"{path}: {row[_IMAGE]} is in two rows", code="E-input-table")
        row_of[name] = row
    chosen, missing = [], []
    for image in images:
        row = next((row_of[ending] for ending in _endings(image) if ending in row_of), None)
        if row is None:
            missing.append(image)
        else:
            chosen.append(row)
    if missing:
        raise InvalidInputError(
            f"{path}: {len(missing)} of {len(images)} images have no row, first {missing[0]}", code="E-input-table"
        )
    return {column: [(row[column] or "").strip() for row in chosen] for column in columns}


def _endings(image: str) -> list[str]:
    """Return the path of an image without suffix, then without its first folder, …, then its name alone."""
    parts = PurePosixPath(_without_suffix(image)).parts
    return ["/".join(parts[i:]) for i in range(len(parts))]


def _without_suffix(image: str) -> str:
    path = PurePosixPath(image.strip().replace("\\", "/"))
    return str(path.with_suffix("")) if path.suffix.lower() in IMAGE_SUFFIXES else str(path)
