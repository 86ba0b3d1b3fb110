"""Which images an input names, and what their results are called."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from semseg.errors import InvalidInputError, MissingInputError
from semseg.inference.manifest import holds_results
from semseg.system.folders import IMAGE_SUFFIXES, absolute_path, natural_key, walk_files
from semseg.system.path_lists import read_path_list, resolve_listed_path

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".3gp", ".wmv", ".flv"),
)


class SourceImage(NamedTuple):
    """An image to segment."""

    path: Path
    name: Path  # relative, without suffix: what its results are called


@dataclass
class LeftOut:
    """What lies in the folders of the inputs and is not segmented, for a note.

    Attributes:
        result_folders: folders that this project wrote results to.
        other_files: files that are no images by their suffix.
        named_like_images: folders that are called as an image is, such as `a.jpg`; what is in them is read.
    """

    result_folders: list[Path] = field(default_factory=list)
    other_files: list[Path] = field(default_factory=list)
    named_like_images: list[Path] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Say it to a person; nothing where there is nothing."""
        lines = []
        if self.result_folders:
            lines.append(f"left out: {_few(self.result_folders)}, which holds results of an earlier run")
        if self.other_files:
            lines.append(f"left out: {len(self.other_files)} files that are no images: {_few(self.other_files)}")
        if self.named_like_images:
            lines.append(f"folders, not images, in spite of their names: {_few(self.named_like_images)}")
        return lines


def find_images(
    *sources: str | Path, leave_out: Iterable[Path] = (), keep_suffix: bool = False, left_out: LeftOut | None = None
) -> list[SourceImage]:
    """List the images that files, folders, globs and lists name, each once, in the order of the sources.

    Folders are walked with their sub-folders, in natural order (img2 before img10). Left out are hidden files, other
    suffixes, the folders `leave_out`, and folders inside that hold results of an earlier run. A list (.txt) names one
    image per line, relative to itself. The images of one folder are named relative to it, those of several sources
    relative to the folder above all of them.

    Args:
        sources: paths, or patterns such as `photos/*/*.jpg`.
        leave_out: folders in which results lie.
        keep_suffix: name `a.jpg` so, and not `a`.
        left_out: gets what is left out.

    Raises:
        FileNotFoundError: there is no such path, or it holds no image.
        ValueError: a file is no image by its suffix, or two images would get one result.
    """
    return _find(sources, leave_out, keep_suffix, left_out, IMAGE_SUFFIXES, ".png")


def find_videos(
    *sources: str | Path, leave_out: Iterable[Path] = (), left_out: LeftOut | None = None
) -> list[SourceImage]:
    """List the video files that files, folders and patterns name; as `find_images` lists images.

    Raises:
        FileNotFoundError: there is no such path, or it holds no video.
        ValueError: two videos would get one result.
    """
    return _find(sources, leave_out, False, left_out, VIDEO_SUFFIXES, ".mp4")


def _find(
    sources: Sequence[str | Path],
    leave_out: Iterable[Path],
    keep_suffix: bool,
    left_out: LeftOut | None,
    suffixes: Sequence[str],
    result_suffix: str,
) -> list[SourceImage]:
    found: dict[Path, None] = {}  # absolute path; each once, in order
    shown: dict[Path, Path] = {}  # as the person wrote it
    left_out = LeftOut() if left_out is None else left_out
    roots = []
    closed = set(map(absolute_path, leave_out))
    for source in map(str, sources):
        root, paths = _expand(source, closed, left_out, suffixes)
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
        name = name.with_suffix("") if _ends_with(name, suffixes) and not keep_suffix else name
        if name in taken:
            way_out = ", or keep the suffix in the names (--keep-suffix)" if suffixes is IMAGE_SUFFIXES else ""
            raise InvalidInputError(
                f"{shown[taken[name]]} and {shown[absolute]} would both write {name}{result_suffix}; rename one of"
                f" them{way_out}"
            )
        taken[name] = absolute
    return [SourceImage(shown[absolute], name) for name, absolute in taken.items()]


def is_video(source: str) -> bool:
    """Return whether an input is a video file, a folder or pattern of videos only, a camera, or a stream."""
    if is_live(source) or (Path(source).suffix.lower() in VIDEO_SUFFIXES and not Path(source).is_dir()):
        return True
    if not Path(source).is_dir() and not glob.has_magic(source):
        return False
    try:
        find_images(source)
    except FileNotFoundError:
        with contextlib.suppress(FileNotFoundError):
            return bool(find_videos(source))
    except ValueError:  # two images of one name
        return False
    return False


def is_live(source: str) -> bool:
    """Return whether an input goes on until it is stopped: a camera (a number) or a stream (an address)."""
    return (source.isdecimal() and not Path(source).exists()) or "://" in source


def _expand(source: str, closed: set[Path], left_out: LeftOut, suffixes: Sequence[str]) -> tuple[Path, list[Path]]:
    """Return the folder that the images of an input are named relative to, and their paths."""
    path, kind = Path(source), "video" if suffixes is VIDEO_SUFFIXES else "image"
    if path.is_dir():
        return path, _walk(path, closed, left_out, suffixes)
    if path.is_file() or path.is_symlink():
        if path.suffix.lower() == ".txt":
            return path.parent, _read_list(path)
        if not _ends_with(path, suffixes):
            raise InvalidInputError(
                f"{source} is not an image; expected one of {' '.join(IMAGE_SUFFIXES)}, a folder of them, a list (.txt)"
                f" or a video ({' '.join(VIDEO_SUFFIXES)})"
            )
        return path.parent, [path]
    if not glob.has_magic(source):
        raise MissingInputError(f"no {kind} or folder {source}")
    fixed, pattern = _split_pattern(path)
    found = glob.glob(str(pattern), root_dir=fixed, recursive=True)  # noqa: PTH207  that of pathlib finds hidden files
    if not found:  # names with brackets, of which only a part is given
        literal = str(pattern).replace("[", "[[]")
        found = glob.glob(literal, root_dir=fixed, recursive=True)  # noqa: PTH207
    matches = sorted((fixed / name for name in found), key=natural_key)
    holds = lru_cache(maxsize=None)(holds_results)
    paths = []
    for match in matches:
        inside = next((folder for folder in match.parents if folder != fixed and fixed in folder.parents
                       and holds(folder)), None)  # fmt: skip
        if inside is not None:
            left_out.result_folders += [inside] if inside not in left_out.result_folders else []
        elif match.is_dir():
            if holds(match):
                left_out.result_folders += [match] if match not in left_out.result_folders else []
            else:
                paths += _images_below(match, closed, left_out, suffixes)
        elif _ends_with(match, suffixes):
            paths.append(match)
    if not paths:
        raise MissingInputError(f"no {kind} matches {source}")
    return fixed, list(dict.fromkeys(paths))


def _split_pattern(path: Path) -> tuple[Path, Path]:
    """Split a pattern into the folder that it starts from and the rest; brackets in names that exist are no pattern."""
    fixed, *parts = path.parts
    fixed = Path(fixed)
    if not fixed.exists():
        return Path(), path
    while parts and (not glob.has_magic(parts[0]) or (fixed / parts[0]).exists()):
        fixed /= parts.pop(0)
    return fixed, Path(*parts)


def _images_below(root: Path, closed: set[Path], left_out: LeftOut, suffixes: Sequence[str]) -> list[Path]:
    def skip(folder: Path) -> bool:
        if holds_results(folder):
            left_out.result_folders.append(folder)
            return True
        if _ends_with(folder, suffixes):
            left_out.named_like_images.append(folder)
        return False

    files = list(walk_files(root, leave_out=closed, skip_folder=skip))
    left_out.other_files += [path for path in files if not _ends_with(path, suffixes)]
    return sorted(
        (path for path in files if _ends_with(path, suffixes)), key=lambda path: natural_key(path.relative_to(root))
    )


def _walk(root: Path, closed: set[Path], left_out: LeftOut, suffixes: Sequence[str]) -> list[Path]:
    known, kind = len(left_out.other_files), "video" if suffixes is VIDEO_SUFFIXES else "image"
    images = _images_below(root, closed, left_out, suffixes)
    files = left_out.other_files[known:]
    if not images:
        others = sorted({path.suffix or path.name for path in files})
        hint = f"found only {', '.join(others[:5])}" if others else "it is empty"
        raise MissingInputError(f"no {kind} in {root} ({hint}); expected {' '.join(suffixes)}")
    return images


def _read_list(path: Path) -> list[Path]:
    paths = [resolve_listed_path(line, path.parent) for _, line in read_path_list(path)]
    for named in paths:
        if named.is_dir():
            raise InvalidInputError(f"{path} names the folder {named}; expected one image per line")
    if not paths:
        raise MissingInputError(f"{path} names no image; expected one path per line, relative to the list")
    if not any(named.exists() for named in paths):
        raise MissingInputError(
            f"{path} was read as a list of images, and no line of it names a file, first {paths[0]}; expected one path"
            " per line, relative to the list"
        )
    return paths


def _few(paths: Sequence[Path], num_shown: int = 3) -> str:
    more = f" and {len(paths) - num_shown} more" if len(paths) > num_shown else ""
    return ", ".join(map(str, paths[:num_shown])) + more


def _ends_with(path: Path, suffixes: Sequence[str]) -> bool:
    return path.suffix.lower() in suffixes
