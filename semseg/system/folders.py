"""Walk folders: the one way in which pairs, checks, importers and inference find files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

TIFF_SUFFIXES = (".tif", ".tiff")
TRAINING_SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".bmp", *TIFF_SUFFIXES, ".webp")
"""Suffixes of photographs that a training reads, which decodes them with OpenCV; lower case."""
IMAGE_SUFFIXES = (*TRAINING_SUFFIXES, ".gif", ".heic", ".heif", ".avif")
"""Suffixes of photographs that are segmented: Pillow reads the last ones too, by itself or with a plugin."""


def walk_files(
    root: str | Path,
    *,
    leave_out: Iterable[Path] = (),
    skip_folder: Callable[[Path], bool] | None = None,
    hidden: bool = False,
) -> Iterator[Path]:
    """Yield the visible files below a folder, with its sub-folders, in the order of the file system.

    Linked folders are followed, each real folder once, so that a loop of links ends. Names that start with a dot are
    left out, unless `hidden`. A dangling link is yielded: it is a file that cannot be read.

    Args:
        root: the folder; the paths start with it, as it was written.
        leave_out: folders that are not entered.
        skip_folder: called with each sub-folder; True leaves it out.
        hidden: also yield names that start with a dot.

    Raises:
        OSError: a folder cannot be listed.
    """
    closed = set(map(absolute_path, leave_out))
    seen = set()

    def stop(error: OSError) -> None:
        raise error

    for folder, folders, names in os.walk(root, onerror=stop, followlinks=True):
        real = os.path.realpath(folder)
        is_root = folder == os.fspath(root)
        if real in seen or (
            not is_root and (absolute_path(Path(folder)) in closed or (skip_folder and skip_folder(Path(folder))))
        ):
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if hidden or not name.startswith("."))
        yield from (Path(folder, name) for name in names if hidden or not name.startswith("."))


def natural_key(path: Path) -> list[tuple[str, int]]:
    """Return a sort key that puts img2 before img10."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", str(path).lower())][:-1]


def absolute_path(path: str | Path) -> Path:
    """Return the path from the root of the file system, without `..`; links stay as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100  which follows links
