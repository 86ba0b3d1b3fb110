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
    """Return the file name of the list of pairs of a split."""
    return f"{split}_pairs.csv"


def write_pairs(path: Path, pairs: Iterable[Pair]) -> None:
    """Write a list of pairs, relative to its own folder; a different one becomes `<name>.bak`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("image", "mask"))
    for pair in pairs:
        cells = (relative_to_folder(file, path.parent) if file is not None else "" for file in pair)
        # a line that starts with # would be a comment
        writer.writerow([f"./{cell}" if cell.startswith("#") else cell for cell in cells])
    write_text(path, text.getvalue())


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
