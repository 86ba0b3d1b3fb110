"""The files of a data set that a program writes: dataset.yaml and its lists of pairs."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path

from semseg.datasets.pairs import Pair
from semseg.system.atomic import atomic_path


def list_name(split: str) -> str:
    """Name the list of pairs of a split."""
    return f"{split}_pairs.csv"


def write_pairs(path: Path, pairs: Iterable[Pair]) -> None:
    """Write a list of pairs, relative to its own folder; a different one becomes `<name>.bak`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("image", "mask"))
    for pair in pairs:
        places = (relative_to_folder(member, path.parent) if member is not None else "" for member in pair)
        writer.writerow([f"./{place}" if place.startswith("#") else place for place in places])  # no comment
    write_text(path, text.getvalue())


def write_text(path: Path, text: str) -> None:
    """Write a text whole, if it differs from what is there, which is kept as `<name>.bak`."""
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
    """Write a path as seen from a folder, with slashes, also where that leads out of it."""
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
