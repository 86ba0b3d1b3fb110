"""Groups of pictures by their file names: what stays when the running number is dropped.

A path is read from its end. `aachen/aachen_000000_000019_leftImg8bit.png` has the parts `aachen`, `000000`, `000019`
and `leftImg8bit`. The last part that is a number, or letters and a number (`f02640`, `slice12`), is the running number;
it and what follows it are dropped. What stays, with the folder, is the group: `aachen/aachen_000000`. Some numbers are
not running numbers, and some parts do not belong to a group:

* A number that all names have at the same place from the end does not run.
* Two or more numbers at the end that are multiples of a step of 16 or more, or parts such as `x512` and `y256`, are the
  place of a tile in a large picture; they are dropped together. 16 is below any usual tile or stride.
* Words that name a split (`train`, `21_training`), cameras (`DJI`, `IMG`) or kinds of files (`left`, `image`), and
  folders that all pictures share, say nothing about a group. `DJI_0012.JPG` has therefore no group: the number counts
  the pictures of a camera.
* Names with date and time (`20240501_120301.jpg`) are read as times, see `capture`.

A group identifies a drive, sequence or patient if a digit stays in the part of the name that differs between groups, as
in `0016E5` or `patient03`. Words alone (`rainy_0001.png`) and years (`2007_000032.jpg`) may be kinds of pictures, which
belong into all splits; they count only with other evidence.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

from semseg.datasets.groups.capture import time_of_name

_SPLIT = {"train", "training", "val", "valid", "validation", "test", "testing", "dev", "eval"}
_CAMERAS = {"img", "imgp", "dsc", "dscn", "dscf", "dji", "gopr", "gp", "gx", "gh", "pxl", "mvimg", "cimg", "mg", "sam"}
_KINDS = {
    *("image", "images", "imgs", "photo", "photos", "pic", "picture", "pictures", "frame", "frames", "rgb", "color"),
    *(
        "left",
        "right",
        "leftimg",
        "bit",
        "raw",
        "jpeg",
        "jpegimages",
        "jpg",
        "png",
        "data",
        "tile",
        "patch",
        "imagestr",
    ),
}
_GENERIC = _SPLIT | _CAMERAS | _KINDS
_NUMBER = re.compile(r"[A-Za-z]*\d+")
_PLACE = re.compile(r"(?:x|y|r|c|row|col|z)\d+", re.IGNORECASE)
_COMPOUND = re.compile(r"([A-Za-z]+\d+)([A-Za-z]{2,}\d+)")  # seq3frame12
_YEAR = re.compile(r"(?:19|20)\d\d")
_LEAST_STEP = 16  # px between tiles
_MOST = 0.9  # of the pictures must have a running number, and an identifier


class NameGroups(NamedTuple):
    """Groups by file names.

    Attributes:
        groups: the group of each picture, in their order; empty text: no group is known.
        words: how they were made.
        has_ids: whether the groups are identified by numbers, and not only by words.
        is_nested: whether the names hold two numbers or more, such as that of a sequence and that of a frame.
    """

    groups: tuple[str, ...]
    words: str
    has_ids: bool
    is_nested: bool


def group_by_name(paths: Sequence[PurePath], num_dropped: int = 1) -> NameGroups | None:
    """Group pictures by their file names and folders.

    Args:
        paths: of the pictures, with their folders; no file is opened.
        num_dropped: numbers to drop from the end: 1, or 2 for the group above (a city that has several sequences).

    Returns:
        None if the names tell no groups: there is only one, or each picture would be its own.
    """
    if sum(time_of_name(path.stem) is not None for path in paths) >= _MOST * len(paths):
        return None
    folders = _name_folders(paths)
    names = [_split_name(path.stem) for path in paths]
    fixed = _find_fixed(names)
    starts = [_find_running(tokens, fixed) for tokens in names]
    num_columns = _count_tile_columns(names, starts)
    if num_columns:
        kept = [
            tokens[: start - num_columns + 1] for tokens, start in zip(names, starts, strict=True) if start is not None
        ]
        words = "file names up to the place of the tile"
    else:
        kept = [tokens[:start] for tokens, start in zip(names, starts, strict=True)]
        for _ in range(num_dropped - 1):
            kept = [tokens[: _find_running(tokens)] for tokens in kept]
        words = f"file names up to the {'last' if num_dropped == 1 else 'second last'} number"
    kept = [[token for token in tokens if not is_split_word(token)] for tokens in kept]
    has_running = sum(start is not None for start in starts) >= _MOST * len(paths)
    if not has_running or len({tuple(tokens) for tokens in kept}) < 2:
        kept, words = [[] for _ in names], "folders"
    parts = [(*folder, *tokens) for folder, tokens in zip(folders, kept, strict=True)]
    groups = tuple(_write_group(folder, tokens) for folder, tokens in zip(folders, kept, strict=True))
    sizes = Counter(filter(None, groups))
    if len(sizes) < 2 or max(sizes.values()) == 1 or sum(sizes.values()) < _MOST * len(paths):
        return None
    num_nested = sum(sum(map(_is_id, tokens)) > 1 for tokens in names)
    return NameGroups(groups, words, _have_ids(parts), num_nested >= _MOST * len(paths))


def group_alone(groups: Sequence[str]) -> float:
    """Return the share of pictures that are alone in their group."""
    sizes = Counter(groups)
    return sum(sizes[group] == 1 for group in groups) / len(groups)


@functools.cache  # of few words, asked for every file
def is_split_word(text: str) -> bool:
    """Return whether a folder or a part of a name only says which split, or what kind of file, it holds."""
    words = [word.lower() for word in re.findall(r"[A-Za-z]+", text)]
    numbers = re.findall(r"\d+", text)
    return bool(words) and all(word in _GENERIC for word in words) and all(map(_is_no_id, numbers))


def running_number(path: PurePath) -> str:
    """Return the name of a picture without words of a split: equal names in two splits are counted separately."""
    return "_".join(token for token in _split_name(path.stem) if not is_split_word(token))


def _is_no_id(number: str) -> bool:
    return bool(_YEAR.fullmatch(number)) or number == "8"  # train2017, leftImg8bit


def _name_folders(paths: Sequence[PurePath]) -> list[tuple[str, ...]]:
    """Return the folders of each path that may tell a group: without those that all share, and without split words."""
    folders = [tuple(part for part in path.parent.parts if not is_split_word(part)) for path in paths]
    num_shared = 0
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        num_shared += 1
    return [folder[num_shared:] for folder in folders]


def _split_name(stem: str) -> list[str]:
    tokens = []
    for token in re.split(r"[_\-. ]+", stem):
        compound = _COMPOUND.fullmatch(token)
        tokens += compound.groups() if compound else [token]
    return [token for token in tokens if token and token.lower() not in _SPLIT]


def _find_fixed(names: Sequence[Sequence[str]]) -> set[int]:
    """Return the places from the end, 1 for the last part, at which all names have the same part."""
    shortest = min(map(len, names), default=0)
    return {place for place in range(1, shortest + 1) if len({tokens[-place] for tokens in names}) == 1}


def _find_running(tokens: Sequence[str], fixed: set[int] | tuple = ()) -> int | None:
    """Return the index of the running number; None: there is none."""
    for index in range(len(tokens) - 1, -1, -1):
        if _NUMBER.fullmatch(tokens[index]) and len(tokens) - index not in fixed:
            return index
    return None


def _count_tile_columns(names: Sequence[Sequence[str]], starts: Sequence[int | None]) -> int:
    """Return how many parts at the end name the place of a tile: numbers with a common step, or x and y; else 0."""
    count = 0
    while True:
        column = [
            tokens[start - count] if start is not None and start >= count else ""
            for tokens, start in zip(names, starts, strict=True)
        ]
        if not all(map(_PLACE.fullmatch, column)):
            has_step = all(token.isdecimal() for token in column) and math.gcd(*map(int, column)) >= _LEAST_STEP
            if not has_step:
                break
        if count < 2 and len(set(column)) < 2:
            break
        count += 1
    return count if count > 1 else 0


def _write_group(folder: Sequence[str], tokens: Sequence[str]) -> str:
    """Return the name of a group; empty if only generic words are left."""
    if all(is_split_word(part) for part in (*folder, *tokens)):
        return ""
    return "/".join([*folder, *(["_".join(tokens)] if tokens else [])])


def _have_ids(parts: Sequence[Sequence[str]]) -> bool:
    """Return whether a digit stays in the parts that differ between groups."""
    num_with = Counter(part for row in parts for part in set(row))
    differing = [[part for part in row if num_with[part] < len(parts)] for row in parts]
    return sum(any(map(_is_id, row)) for row in differing) >= _MOST * len(parts)


def _is_id(part: str) -> bool:
    return bool(re.search(r"\d", part)) and not _YEAR.fullmatch(part)
