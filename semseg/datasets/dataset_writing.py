"""The files of a data set that a program writes: dataset.yaml and its lists of pairs."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from semseg.datasets.pairs import PAIR_COLUMNS, Pair
from semseg.errors import InvalidDataError
from semseg.system.atomic import atomic_path
from semseg.system.path_lists import read_list_text


def list_name(split: str) -> str:
    """Return the file name of the list of pairs of a split."""
    return f"{split}_pairs.csv"


def write_pairs(path: Path, pairs: Iterable[Pair]) -> None:
    """Write a list of pairs, relative to its own folder; a different one becomes `<name>.bak`.

    Raises:
        ValueError: some of the pairs have a region of interest, and others have none.
    """
    pairs = list(pairs)
    lone = [pair.image_path for pair in pairs if pair.roi_path is None]
    if 0 < len(lone) < len(pairs):
        raise InvalidDataError(
            f"{len(lone)} of {len(pairs)} images have no region of interest, first {lone[0]}; in one list all images"
            " have one, or none has",
            code="E-data-pairs",
        )
    columns = ("image", "mask") if lone or not pairs else PAIR_COLUMNS
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for pair in pairs:
        files = pair[: len(columns)]
        cells = (relative_to_folder(file, path.parent) if file is not None else "" for file in files)
        # a line that starts with # would be a comment
        writer.writerow([f"./{cell}" if cell.startswith("#") else cell for cell in cells])
    write_text(path, text.getvalue())


def write_division(source: Path, splits: Mapping[str, Iterable[Pair]], path: Path) -> None:
    """Write a dataset.yaml with other splits, after their lists of pairs; replaced files are kept as `<name>.bak`.

    Args:
        source: the dataset.yaml of which everything but the splits is kept.
        splits: pairs by name of the split; written in the order of their images.
        path: of the new dataset.yaml; may be `source`.
    """
    content = {"root": "."} | yaml.safe_load(read_list_text(source))
    content |= {"root": ".", "splits": {split: {"pairs": list_name(split)} for split in splits}}
    for split, pairs in splits.items():
        write_pairs(path.parent / list_name(split), sorted(pairs, key=lambda pair: pair.image_path))
    write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None))


def write_text(path: Path, text: str) -> None:
    """Write a text file unless it has this content already; a different file is kept as `<name>.bak`."""
    content = text.encode("utf-8")
    if path.is_file():
        old = path.read_bytes()
        if old == content:
            return
        with atomic_path(path.with_name(f"{path.name}.bak")) as temporary:
            temporary.write_bytes(old)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def relative_to_folder(path: Path, folder: Path) -> str:
    """Write a path relative to a folder, with slashes; it may start with `..`."""
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
