"""Walk folders; pairs, checks, importers and inference all find their files with these functions."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from semseg.system.objects.addresses import Address, comparable_path, is_address

TIFF_SUFFIXES = (".tif", ".tiff")
TRAINING_SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".bmp", *TIFF_SUFFIXES, ".webp")
"""Suffixes of photographs that a training can read (it decodes them with OpenCV); lower case."""
IMAGE_SUFFIXES = (*TRAINING_SUFFIXES, ".gif", ".heic", ".heif", ".avif")
"""Suffixes of photographs that can be segmented; Pillow reads the last four, some of them with a plugin."""


def walk_files(
    root: str | Path,
    *,
    leave_out: Iterable[Path] = (),
    skip_folder: Callable[[Path], bool] | None = None,
    hidden: bool = False,
) -> Iterator[Path]:
    """Yield the visible files in a folder and its sub-folders, in the order of the file system.

    Links to folders are followed; each real folder is visited once, so a cycle of links ends. Names that start with a
    dot are skipped, unless `hidden`. A dangling link is yielded: it is a file that cannot be read.

    Args:
        root: the folder; the yielded paths start with it, unchanged.
        leave_out: folders to skip.
        skip_folder: called with each sub-folder; return True to skip it.
        hidden: also yield names that start with a dot.

    Raises:
        OSError: a folder cannot be listed.
    """
    skipped = set(map(absolute_path, leave_out))
    visited: set[str] = set()

    def raise_error(error: OSError) -> None:
        raise error

    for folder, folders, names in os.walk(root, onerror=raise_error, followlinks=True):
        real = os.path.realpath(folder)
        is_root = folder == os.fspath(root)
        if real in visited or (
            not is_root and (absolute_path(Path(folder)) in skipped or (skip_folder and skip_folder(Path(folder))))
        ):
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if hidden or not name.startswith("."))
        yield from (Path(folder, name) for name in names if hidden or not name.startswith("."))


def natural_key(path: Path | str) -> list[tuple[str, int]]:
    """Return a sort key that puts img2 before img10."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", str(path).lower())][:-1]


def absolute_path(path: str | Path | Address) -> Path:
    """Return the absolute path, without `..`; links are not resolved. An address becomes `/s3/bucket/key`."""
    plain = comparable_path(path) if isinstance(path, Address) or is_address(path) else path
    return Path(os.path.abspath(plain))  # noqa: PTH100  Path.resolve() would follow links
