"""Which images an input names, and what their results are called."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from semseg.folders import IMAGE_SUFFIXES, absolute_path, natural_key, walk_files
from semseg.inference.manifest import holds_results
from semseg.path_lists import read_path_list, resolve_listed_path

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm")


class SourceImage(NamedTuple):
    """An image to segment."""

    path: Path
    name: Path  # relative, without suffix: what its results are called


class LeftOut:
    """What a search for images left out, for whoever wants to say it.

    Attributes:
        results: folders that hold results of this project.
        others: files that are no images, by suffix.
        image_like: folders that are called like images.
    """

    def __init__(self) -> None:
        self.results: list[Path] = []
        self.others: Counter[str] = Counter()
        self.image_like: list[Path] = []

    def sentences(self) -> list[str]:
        """Say it."""
        said = []
        if self.results:
            more = f" and {len(self.results) - 1} more" if len(self.results) > 1 else ""
            said.append(f"left out {self.results[0]}{more}, which holds results; name it to segment what is in it")
        if self.others:
            kinds = ", ".join(f"{count} {suffix}" for suffix, count in self.others.most_common(5))
            said.append(f"left out {sum(self.others.values())} files that are no images by their names: {kinds}")
        said += [f"{path} is a folder, though it is called like an image" for path in self.image_like[:3]]
        return said


def find_images(
    *sources: str | Path,
    leave_out: Iterable[Path] = (),
    keep_suffix: bool = False,
    on_note: Callable[[str], None] | None = None,
) -> list[SourceImage]:
    """List the images that files, folders, globs and lists name, each once, in the order of the sources.

    Folders are walked with their sub-folders, in natural order (img2 before img10); hidden files and other suffixes
    are left out, and so are the folders `leave_out` and sub-folders with results of this project, unless a source
    names them. A list (.txt) names one image per line, relative to itself. The images of one folder are named relative
    to it, those of several sources relative to the folder above all of them.

    Args:
        sources: paths, or patterns such as `photos/*/*.jpg`.
        leave_out: folders in which results lie.
        keep_suffix: name `a.jpg` so, and not `a`.
        on_note: called with what a user should know: what was left out.

    Raises:
        FileNotFoundError: there is no such path, or it holds no image.
        ValueError: a file is no image by its suffix, or two images would get one result.
    """
    found: dict[Path, None] = {}  # absolute path; each once, in order
    shown: dict[Path, Path] = {}  # as the person wrote it
    roots = []
    closed = set(map(absolute_path, leave_out))
    left_out = LeftOut()
    for source in map(str, sources):
        root, paths = _expand(source, closed, left_out)
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
    for sentence in left_out.sentences() if on_note else ():
        on_note(sentence)
    return [SourceImage(shown[absolute], name) for name, absolute in taken.items()]


def is_video(source: str) -> bool:
    """Return whether an input is a video file, a camera (a number) or a stream (an address)."""
    return is_live(source) or Path(source).suffix.lower() in VIDEO_SUFFIXES


def is_live(source: str) -> bool:
    """Return whether an input goes on until it is stopped: a camera (a number) or a stream (an address)."""
    return source.isdecimal() or "://" in source


def _expand(source: str, closed: set[Path], left_out: LeftOut) -> tuple[Path, list[Path]]:
    """Return the folder that the images of an input are named relative to, and their paths."""
    path = Path(source)
    if path.is_dir():
        files, images = _walk(path, closed, left_out)
        if not images:
            raise FileNotFoundError(f"no image in {path} ({_kinds_of(files)}); expected {' '.join(IMAGE_SUFFIXES)}")
        return path, images
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
    return _match(source, closed, left_out)


def _match(pattern: str, closed: set[Path], left_out: LeftOut) -> tuple[Path, list[Path]]:
    """Find what a pattern matches; brackets that a name on the disk has are taken as they are."""
    fixed, rest = Path(), list(Path(pattern).parts)
    while rest and (not glob.has_magic(rest[0]) or (not re.search(r"[*?]", rest[0]) and (fixed / rest[0]).exists())):
        fixed /= rest.pop(0)
    matches: list[str] = []
    for parts in (rest, [re.sub(r"\[", "[[]", part) for part in rest]):
        whole = os.path.join(glob.escape(str(fixed)), *parts)  # noqa: PTH118  a pattern, no path
        matches = matches or glob.glob(whole, recursive=True)  # noqa: PTH207  that of pathlib wants a folder to start from
    with_results: dict[Path, bool] = {}

    def is_closed(folder: Path) -> bool:
        if folder not in with_results:
            with_results[folder] = holds_results(folder)
            left_out.results += [folder] if with_results[folder] and absolute_path(folder) not in closed else []
        return with_results[folder] or absolute_path(folder) in closed

    images = []
    for match in sorted(map(Path, matches), key=natural_key):
        is_folder = match.is_dir()
        folders = [match, *match.parents] if is_folder else list(match.parents)
        below = [folder for folder in folders if folder != fixed and folder.is_relative_to(fixed)]
        if not any(map(is_closed, reversed(below))):
            images += _walk(match, closed, left_out)[1] if is_folder else [match] if _is_image(match) else []
    if not images:
        raise FileNotFoundError(f"no image matches {pattern}" + "".join(f"; {s}" for s in left_out.sentences()))
    return fixed, images


def _walk(root: Path, closed: set[Path], left_out: LeftOut) -> tuple[list[Path], list[Path]]:
    """Return the files below a folder, and the images among them in natural order."""

    def has_results(folder: Path) -> bool:
        if holds_results(folder):
            left_out.results.append(folder)
            return True
        left_out.image_like += [folder] if _is_image(folder) else []
        return False

    files = list(walk_files(root, leave_out=closed, skip_folder=has_results))
    images = [path for path in files if _is_image(path)]
    left_out.others.update(_kind_of(path) for path in files if not _is_image(path))
    return files, sorted(images, key=lambda path: natural_key(path.relative_to(root)))


def _kind_of(path: Path) -> str:
    return path.suffix or path.name


def _kinds_of(files: Iterable[Path]) -> str:
    kinds = sorted(set(map(_kind_of, files)))
    return f"found only {', '.join(kinds[:5])}" if kinds else "it is empty"


def _read_list(path: Path) -> list[Path]:
    lines = [line for _, line in read_path_list(path)]
    paths = [resolve_listed_path(line, path.parent) for line in lines]
    for named in paths:
        if named.is_dir():
            raise ValueError(f"{path} names the folder {named}; expected one image per line")
    if not paths:
        raise FileNotFoundError(f"{path} names no image; expected one path per line, relative to the list")
    if not any(named.is_file() or named.is_symlink() for named in paths):
        raise FileNotFoundError(
            f"{path} is taken for a list of images, and no line names a file, such as {lines[0][:60]!r}; expected one"
            f" path per line, relative to {path.parent}"
        )
    return paths


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES
