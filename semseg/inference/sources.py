"""Which images an input names, and what their results are called."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from semseg.folders import IMAGE_SUFFIXES, absolute_path, natural_key, walk_files

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm")


class SourceImage(NamedTuple):
    """An image to segment."""

    path: Path
    name: Path  # relative, without suffix: what its results are called


def find_images(*sources: str | Path, leave_out: Iterable[Path] = (), keep_suffix: bool = False) -> list[SourceImage]:
    """List the images that files, folders, globs and lists name, each once, in the order of the sources.

    Folders are walked with their sub-folders, in natural order (img2 before img10); hidden files and other suffixes
    are left out, and so are the folders `leave_out`. A list (.txt) names one image per line, relative to itself. The
    images of one folder are named relative to it, those of several sources relative to the folder above all of them.

    Args:
        sources: paths, or patterns such as `photos/*/*.jpg`.
        leave_out: folders in which results lie.
        keep_suffix: name `a.jpg` so, and not `a`.

    Raises:
        FileNotFoundError: there is no such path, or it holds no image.
        ValueError: a file is no image by its suffix, or two images would get one result.
    """
    found: dict[Path, None] = {}  # absolute path; each once, in order
    shown: dict[Path, Path] = {}  # as the person wrote it
    roots = []
    closed = set(map(absolute_path, leave_out))
    for source in map(str, sources):
        root, paths = _expand(source, closed)
        roots.append(absolute_path(root))
        for path in paths:
            absolute = absolute_path(path)
            found.setdefault(absolute)
            shown.setdefault(absolute, path)
    # a list may name images that lie elsewhere
    outside = [path.parent for path in found if not any(path.is_relative_to(root) for root in roots)]
    root = os.path.commonpath([*roots, *outside])
    taken: dict[Path, Path] = {}
    for absolute in found:
        name = absolute.relative_to(root)
        name = name.with_suffix("") if _is_image(name) and not keep_suffix else name
        if name in taken:
            raise ValueError(
                f"{shown[taken[name]]} and {shown[absolute]} would both write {name}.png; rename one of them, or keep"
                " the suffix in the names (--keep-suffix)"
            )
        taken[name] = absolute
    return [SourceImage(shown[absolute], name) for name, absolute in taken.items()]


def is_video(source: str) -> bool:
    """Return whether an input is a video file, a camera (a number) or a stream (an address)."""
    return is_live(source) or Path(source).suffix.lower() in VIDEO_SUFFIXES


def is_live(source: str) -> bool:
    """Return whether an input goes on until it is stopped: a camera (a number) or a stream (an address)."""
    return source.isdecimal() or "://" in source


def _expand(source: str, closed: set[Path]) -> tuple[Path, list[Path]]:
    """Return the folder that the images of an input are named relative to, and their paths."""
    path = Path(source)
    if path.is_dir():
        return path, _walk(path, closed)
    if path.is_file() or path.is_symlink():
        if path.suffix.lower() == ".txt":
            return path.parent, _read_list(path)
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            raise ValueError(
                f"{source} is not an image; expected one of {' '.join(IMAGE_SUFFIXES)}, a folder of them, a list (.txt)"
                f" or a video ({' '.join(VIDEO_SUFFIXES)})"
            )
        return path.parent, [path]
    if not glob.has_magic(source):
        raise FileNotFoundError(f"no image or folder {source}")
    found = glob.glob(source, recursive=True)  # noqa: PTH207  that of pathlib wants a folder to start from
    matches = sorted(map(Path, found), key=natural_key)
    paths = [p for match in matches for p in (_walk(match, closed) if match.is_dir() else [match]) if _is_image(p)]
    if not paths:
        raise FileNotFoundError(f"no image matches {source}")
    fixed = []
    for part in path.parts:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed), paths


def _walk(root: Path, closed: set[Path]) -> list[Path]:
    files = list(walk_files(root, leave_out=closed))
    images = [path for path in files if _is_image(path)]
    if not images:
        suffixes = sorted({path.suffix or path.name for path in files})
        hint = f"found only {', '.join(suffixes[:5])}" if suffixes else "it is empty"
        raise FileNotFoundError(f"no image in {root} ({hint}); expected {' '.join(IMAGE_SUFFIXES)}")
    return sorted(images, key=lambda path: natural_key(path.relative_to(root)))


def _read_list(path: Path) -> list[Path]:
    lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    paths = [path.parent / line.strip() for line in lines if line.strip() and not line.startswith("#")]
    for named in paths:
        if named.is_dir():
            raise ValueError(f"{path} names the folder {named}; expected one image per line")
    if not paths:
        raise FileNotFoundError(f"{path} names no image; expected one path per line, relative to the list")
    return paths


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES
