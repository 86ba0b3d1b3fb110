"""Rules by which the user says what a group is: by folder, by file name, or by a pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from semseg.datasets.dataset_writing import relative_to_folder
from semseg.errors import InvalidDataError, InvalidInputError

AUTO = "auto"
"""The word for `group_by` that proposes the groups, see `propose`."""


def group_rule(group_by: str) -> Callable[[str], str | None]:
    """Return the function from the path of an image, with slashes, to its group (None: the pattern does not match).

    `folder`: the folder of the image. `prefix`: its name up to the last part that is a number, else without the digits
    at its end: `street3_0007_left.jpg` belongs to `street3`, `frame0007.jpg` to `frame`. `regex:PATTERN`: the texts
    that the groups of the pattern match anywhere in the path, joined by `/`; without groups, the whole match.

    Raises:
        ValueError: it is none of these.
    """
    if group_by == "folder":
        return lambda name: name.rpartition("/")[0] or "."
    if group_by == "prefix":
        return _find_prefix
    if not group_by.startswith("regex:"):
        raise InvalidInputError(
            f"`group_by`: expected auto, folder, prefix, or regex:PATTERN, got {group_by!r}", code="E-input-value"
        )
    try:
        pattern = re.compile(group_by.removeprefix("regex:"))
    except re.error as error:
        raise InvalidInputError(
            f"`group_by` {group_by}: not a regular expression ({error})", code="E-input-value"
        ) from None

    def find_group(name: str) -> str | None:
        match = pattern.search(name)
        if not match:
            return None
        return "/".join(part or "" for part in match.groups()) if pattern.groups else match[0]

    return find_group


def apply_rule(group_by: str, paths: Sequence[Path], root: Path) -> list[str]:
    """Return the group of each picture.

    Args:
        group_by: see `group_rule`.
        paths: of the pictures.
        root: folder that they are taken relative to.

    Raises:
        ValueError: it is no rule, or does not match an image.
    """
    rule = group_rule(group_by)
    groups, unmatched = [], []
    for path in paths:
        name = relative_to_folder(path.parent, root) + f"/{path.name}"
        group = rule(name.removeprefix("./"))
        if group is None:
            unmatched.append(name)
        else:
            groups.append(group)
    if unmatched:
        raise InvalidDataError(
            f"`group_by` {group_by} does not match {len(unmatched)} of {len(paths)} images, "
            f"first {unmatched[0]}; give a pattern that matches all",
            code="E-data-groups",
        )
    return groups


def _find_prefix(name: str) -> str:
    stem = name.rpartition("/")[2].rpartition(".")[0]
    tokens = re.split(r"([_\-. ]+)", stem)  # alternating names and separators
    numbers = [index for index in range(0, len(tokens), 2) if tokens[index].isdecimal()]
    if numbers and numbers[-1] > 0:
        return "".join(tokens[: numbers[-1] - 1])
    return "" if numbers else stem.rstrip("0123456789")
