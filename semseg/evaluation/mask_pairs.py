"""Find which files of several folders belong together, by their names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from semseg.datasets.pairs import name_files
from semseg.errors import InvalidDataError, MissingDataError
from semseg.system.folders import IMAGE_SUFFIXES, walk_files
from semseg.system.wording import listing

_NUM_SHOWN = 4
_ENDING = re.compile(r"[_\-. ].*")  # of a name: it begins with a separator


class Matched(NamedTuple):
    """The files that belong together.

    Attributes:
        files: by the name that they share, the path of each kind.
        endings: of each kind, what follows the shared name in the names of its files, without the suffix.
    """

    files: Mapping[str, Mapping[str, Path]]
    endings: Mapping[str, str]


def match_files(folders: Mapping[str, Path], suffixes: Mapping[str, Sequence[str]]) -> Matched:
    """Match the pictures of several folders by their paths below these folders.

    Names are compared without their suffix. If they differ, the ending that all files of a folder have in common is
    left out, such as `_manual1` in `01_manual1.gif` and `02_manual1.gif`: it begins with a separator, its last word is
    no number, and it cannot distinguish two files of one folder. Each file must have a partner in every other folder.

    Args:
        folders: by kind, such as `predictions`.
        suffixes: by kind, ends of the names, such as `_manual1.gif`; with them only files count that have one, and no
            ending is searched. A kind may be missing.

    Raises:
        FileNotFoundError: a folder is missing, or holds no picture.
        ValueError: files have no partner, or two files of a folder have the same name; the message names them.
    """
    named = {kind: _name_files(kind, folder, suffixes.get(kind) or ()) for kind, folder in folders.items()}
    endings = dict.fromkeys(folders, "")
    first = next(iter(named.values()))
    if any(names.keys() != first.keys() for names in named.values()):
        endings = {kind: "" if suffixes.get(kind) else _common_ending([*names]) for kind, names in named.items()}
        named = {
            kind: {name.removesuffix(endings[kind]): path for name, path in names.items()}
            for kind, names in named.items()
        }
    _check_partners(named, folders, endings)
    names = sorted(next(iter(named.values())))
    return Matched({name: {kind: named[kind][name] for kind in folders} for name in names}, endings)


def _name_files(kind: str, folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """Return the pictures of a folder by their path below it, without suffix."""
    if not folder.is_dir():
        raise MissingDataError(f"no folder {folder} of {kind}", code="E-data-missing")
    if suffixes:
        named = name_files(folder, suffixes)
        sought = " or ".join(suffixes)
    else:
        named = {}
        sought = "a suffix of pictures, such as .png"
        for path in sorted(walk_files(folder)):
            if path.suffix.lower() not in IMAGE_SUFFIXES:
                continue
            name = unicodedata.normalize("NFC", path.relative_to(folder).with_suffix("").as_posix())
            if name in named:
                raise InvalidDataError(
                    f"{named[name]} and {path} have the same name without suffix; give the suffix of the {kind}",
                    code="E-data-pairs",
                )
            named[name] = path
    if not named:
        raise MissingDataError(f"no file in {folder} ends with {sought}; it holds no {kind}", code="E-data-missing")
    return named


def _common_ending(names: Sequence[str]) -> str:
    """Return the ending that all names share, from a separator on; empty if there is none, or it ends with a number.

    One name alone has no ending: nothing tells it from the rest of the name.
    """
    if len(names) < 2:
        return ""
    shared = names[0].rpartition("/")[2]
    while not all(name.endswith(shared) for name in names):
        shared = shared[1:]
    match = _ENDING.search(shared)
    return match[0] if match and not re.fullmatch(r"\d*", re.split(r"[_\-. ]", match[0])[-1]) else ""


def _check_partners(
    named: Mapping[str, Mapping[str, Path]], folders: Mapping[str, Path], endings: Mapping[str, str]
) -> None:
    """Raise an error that names the files without partner."""
    every = set().union(*named.values())
    faults = []
    for kind, names in named.items():
        missing = sorted(every - names.keys())
        if missing:
            owners = [next(files[name] for files in named.values() if name in files).name for name in missing]
            have = "file has" if len(missing) == 1 else "files have"
            faults.append(
                f"{len(missing)} {have} no partner in the {kind} {folders[kind]}: {listing(owners, _NUM_SHOWN)}"
            )
    if faults:
        left_out = ", ".join(f"{ending!r} of the {kind}" for kind, ending in endings.items() if ending)
        raise InvalidDataError(
            f"{'; '.join(faults)}. Names are compared without suffix{f' and without {left_out}' if left_out else ''}:"
            " remove surplus files, or give the ends of the names with `prediction_suffix`, `target_suffix` or"
            " `roi_suffix`, such as _manual1.gif",
            code="E-data-pairs",
        )
