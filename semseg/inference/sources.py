"""Find the images that the inputs of a run name, and the names of their results."""

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
from semseg.inference.stored_sources import find_stored_images, is_stored, is_stored_image
from semseg.system.folders import IMAGE_SUFFIXES, absolute_path, natural_key, walk_files
from semseg.system.objects.addresses import Address, is_address, parse_address, refuse_address
from semseg.system.path_lists import read_path_list, resolve_listed_path
from semseg.system.wording import listing

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".3gp", ".wmv", ".flv"),
)


class SourceImage(NamedTuple):
    """An image to segment."""

    path: Path | Address
    name: Path  # of its results: relative, without suffix

    @property
    def path_on_disk(self) -> Path:
        """The path, for what works with files on disks only.

        Raises:
            ValueError: it is an address.
        """
        if isinstance(self.path, Address):
            refuse_address(self.path, "images")
        return Path(str(self.path))


@dataclass
class LeftOut:
    """Files and folders in the inputs that are not segmented, for a note.

    Attributes:
        result_folders: folders that this project wrote results to.
        other_files: files that are no images by their suffix.
        named_like_images: folders with the name of an image, such as `a.jpg`; the files in them are read.
    """

    result_folders: list[Path | Address] = field(default_factory=list)
    other_files: list[Path | Address] = field(default_factory=list)
    named_like_images: list[Path] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the lines of the note; empty if nothing was left out."""
        lines = []
        if self.result_folders:
            lines.append(f"left out: {listing(self.result_folders)}, which holds results of an earlier run")
        if self.other_files:
            lines.append(f"left out: {len(self.other_files)} files that are no images: {listing(self.other_files)}")
        if self.named_like_images:
            lines.append(f"folders, not images, in spite of their names: {listing(self.named_like_images)}")
        return lines


def find_images(
    *sources: str | Path | Address,
    leave_out: Iterable[Path | Address] = (),
    keep_suffix: bool = False,
    left_out: LeftOut | None = None,
    more_suffixes: Sequence[str] = (),
) -> list[SourceImage]:
    """List the images that files, folders, globs and lists name, each once, in the order of the sources.

    Folders are read with their sub-folders, in natural order (img2 before img10). Hidden files, files with other
    suffixes, the folders `leave_out`, and sub-folders that hold results of an earlier run are left out. A list (.txt)
    names one image per line, relative to its own folder. The images of one folder are named relative to it, those of
    several sources relative to the folder above all of them.

    Args:
        sources: paths, patterns such as `photos/*/*.jpg`, or addresses such as `s3://bucket/photos`.
        leave_out: folders of results.
        keep_suffix: the results of `a.jpg` are named `a.jpg`, and not `a`.
        left_out: modified: the files and folders that are left out are added.
        more_suffixes: of files that the model reads, besides those of photographs.

    Raises:
        FileNotFoundError: there is no such path, or it holds no image.
        ValueError: a file is no image by its suffix, or the results of two images would have the same name.
    """
    return _find(sources, leave_out, keep_suffix, left_out, (*IMAGE_SUFFIXES, *more_suffixes), ".png")


def find_videos(
    *sources: str | Path, leave_out: Iterable[Path] = (), left_out: LeftOut | None = None
) -> list[SourceImage]:
    """List the videos that files, folders and patterns name; see `find_images`.

    Raises:
        FileNotFoundError: there is no such path, or it holds no video.
        ValueError: the results of two videos would have the same name.
    """
    return _find(sources, leave_out, False, left_out, VIDEO_SUFFIXES, ".mp4")


def _find(
    sources: Sequence[str | Path | Address],
    leave_out: Iterable[Path | Address],
    keep_suffix: bool,
    left_out: LeftOut | None,
    suffixes: Sequence[str],
    result_suffix: str,
) -> list[SourceImage]:
    given: dict[Path, Path | Address] = {}  # the path as the user wrote it, by absolute path; each file once, in order
    left_out = LeftOut() if left_out is None else left_out
    roots = []
    closed = set(map(absolute_path, leave_out))
    for source in map(str, sources):
        root, paths = _expand(source, closed, left_out, suffixes)
        roots.append(absolute_path(root))
        for path in paths:
            given.setdefault(absolute_path(path), path)
    # a list may name images in other folders
    outside = [path.parent for path in given if not any(path.is_relative_to(root) for root in roots)]
    root = os.path.commonpath([*roots, *outside])
    by_name: dict[Path, Path | Address] = {}
    for absolute, path in given.items():
        name = absolute.relative_to(root)
        name = name.with_suffix("") if _ends_with(name, suffixes) and not keep_suffix else name
        if name in by_name:
            hint = ", or keep the suffix in the names (`keep_suffix`)" if suffixes is not VIDEO_SUFFIXES else ""
            raise InvalidInputError(
                f"{by_name[name]} and {path} would both write {name}{result_suffix}; rename one of them{hint}",
                code="E-input-same-name",
            )
        by_name[name] = path
    return [SourceImage(path, name) for name, path in by_name.items()]


def is_video(source: str) -> bool:
    """Return whether an input is a video file, a folder or pattern of videos only, a camera, or a stream."""
    if is_stored(source):
        return False
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


def is_folder(source: str | Path | Address) -> bool:
    """Return whether a path or an address names a folder; an address does unless it ends like an image."""
    if isinstance(source, Address) or is_address(source):
        return not is_stored_image(parse_address(source))
    return Path(source).is_dir()


def is_live(source: str) -> bool:
    """Return whether an input is a camera (a number) or a stream (an address), which run until they are stopped."""
    return (source.isdecimal() and not Path(source).exists()) or ("://" in source and not is_stored(source))


def _expand(
    source: str, closed: set[Path], left_out: LeftOut, suffixes: Sequence[str]
) -> tuple[Path | Address, Sequence[Path | Address]]:
    """Return the paths of the images of an input, after the folder that they are named relative to.

    Modifies `left_out`, as do the functions below.
    """
    if is_address(source):
        if suffixes is VIDEO_SUFFIXES or parse_address(source).suffix.lower() in VIDEO_SUFFIXES:
            raise InvalidInputError(
                f"{parse_address(source)}: videos are read from disks and streams; download it first",
                code="E-input-kind",
            )
        return find_stored_images(source, closed, left_out, suffixes)
    path, kind = Path(source), "video" if suffixes is VIDEO_SUFFIXES else "image"
    if path.is_dir():
        return path, _walk(path, closed, left_out, suffixes)
    if path.is_file() or path.is_symlink():
        if path.suffix.lower() == ".txt":
            return path.parent, _read_list(path)
        if not _ends_with(path, suffixes):
            images = IMAGE_SUFFIXES if kind == "video" else suffixes
            raise InvalidInputError(
                f"{source} is not an image; expected one of {' '.join(images)}, a folder of them, a list (.txt)"
                f" or a video ({' '.join(VIDEO_SUFFIXES)})",
                code="E-input-unreadable",
            )
        return path.parent, [path]
    if not glob.has_magic(source):
        raise MissingInputError(f"no {kind} or folder {source}", code="E-input-missing")
    fixed, pattern = _split_pattern(path)
    names = glob.glob(str(pattern), root_dir=fixed, recursive=True)  # noqa: PTH207  that of pathlib finds hidden files
    if not names:  # the brackets may be part of a name
        literal = str(pattern).replace("[", "[[]")
        names = glob.glob(literal, root_dir=fixed, recursive=True)  # noqa: PTH207
    matches = sorted((fixed / name for name in names), key=natural_key)
    holds = lru_cache(maxsize=None)(holds_results)
    paths = []
    for match in matches:
        below_fixed = (folder for folder in match.parents if folder != fixed and fixed in folder.parents)
        inside = next(filter(holds, below_fixed), None)
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
        raise MissingInputError(f"no {kind} matches {source}", code="E-input-missing")
    return fixed, list(dict.fromkeys(paths))


def _split_pattern(path: Path) -> tuple[Path, Path]:
    """Split a path into the folder before the first wildcard, and the rest; an existing name has no wildcards."""
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
        raise MissingInputError(f"no {kind} in {root} ({hint}); expected {' '.join(suffixes)}", code="E-input-missing")
    return images


def _read_list(path: Path) -> list[Path | Address]:
    lines = [line for _, line in read_path_list(path)]
    paths = [parse_address(line) if is_address(line) else resolve_listed_path(line, path.parent) for line in lines]
    on_disk = [named for named in paths if isinstance(named, Path)]
    for named in on_disk:
        if named.is_dir():
            raise InvalidInputError(
                f"{path} names the folder {named}; expected one image per line", code="E-input-list"
            )
    if not paths:
        raise MissingInputError(
            f"{path} names no image; expected one path per line, relative to the list", code="E-input-list"
        )
    if len(on_disk) == len(paths) and not any(named.exists() for named in on_disk):
        raise MissingInputError(
            f"{path} was read as a list of images, and no line of it names a file, first {paths[0]}; expected one path"
            " per line, relative to the list",
            code="E-input-list",
        )
    return paths


def _ends_with(path: Path, suffixes: Sequence[str]) -> bool:
    return path.suffix.lower() in suffixes
