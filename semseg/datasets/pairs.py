"""Find the mask of each photograph."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from semseg.datasets.dataset_file import DatasetFile
from semseg.errors import InvalidDataError, MissingDataError
from semseg.system.folders import walk_files
from semseg.system.path_lists import read_list_text, resolve_listed_path

PAIR_COLUMNS = ("image", "mask", "roi")
"""Columns of a list of pairs; the last one is optional."""
_KINDS = {"images": "image_suffix", "masks": "mask_suffix", "roi": "roi_suffix"}  # with the keys of their suffixes


class Pair(NamedTuple):
    """A photograph and its mask.

    Attributes:
        image_path: the photograph.
        mask_path: None: there is no mask, and all pixels have the class `unlabelled` of dataset.yaml.
        roi_path: its region of interest, see `semseg.datasets.roi`; None: the whole picture counts.
    """

    image_path: Path
    mask_path: Path | None
    roi_path: Path | None = None


@dataclass(frozen=True)
class Pairing:
    """The files of one split.

    Attributes:
        pairs: in the order of their names, or of the list.
        images_without_mask: photographs without a mask of the same name. With `unlabelled` in the dataset.yaml they
            are in `pairs` instead.
        masks_without_image: masks without a photograph of the same name.
        ignored_files: neither photographs nor masks by their suffixes; without hidden files.
        images_without_roi: photographs without a region of interest of the same name, in a split that has a folder of
            them; they are not in `pairs`.
        rois_without_image: regions of interest without a photograph of the same name.
    """

    pairs: tuple[Pair, ...]
    images_without_mask: tuple[Path, ...] = ()
    masks_without_image: tuple[Path, ...] = ()
    ignored_files: tuple[Path, ...] = ()
    images_without_roi: tuple[Path, ...] = ()
    rois_without_image: tuple[Path, ...] = ()


def find_pairs(dataset_file: DatasetFile, split: str) -> Pairing:
    """Pair the photographs and masks of a split.

    In folders, a photograph and a mask form a pair if their paths below their folders are equal without the suffix; a
    region of interest belongs to them by the same rule.
    Files without a partner are returned, and are no error. Linked folders are followed. A suffix may be a whole name,
    for example if each image has a folder of its own with `image.jpg` and `mask.png`.

    Raises:
        FileNotFoundError: a folder is missing, the list, or a file that the list names.
        ValueError: the set has no such split, a folder holds no file with the suffix (the message says which
            suffixes it has), two files have the same name, or the list has a line that is not `image,mask`. With
            `unlabelled`: there are photographs without mask and masks without photograph, which may belong together.
    """
    if split not in dataset_file.splits:
        has = ", ".join(dataset_file.splits)
        raise InvalidDataError(
            f"{dataset_file.path} has no split {split!r}, only {has}; add it under splits", code="E-data-split"
        )
    places = dataset_file.splits[split]
    if places.pairs is not None:
        return _read_list(dataset_file.root / places.pairs, dataset_file)
    assert places.images is not None and places.masks is not None  # `read_dataset_file` checks this
    folders = {
        kind: dataset_file.root / folder
        for kind, folder in (("images", places.images), ("masks", places.masks), ("roi", places.roi))
        if folder is not None
    }
    for kind, folder in folders.items():
        if not folder.is_dir():
            raise MissingDataError(
                f"no folder {folder}; {dataset_file.path} names it as splits.{split}.{kind}", code="E-data-missing"
            )
    files, ignored = _sort_folders(folders, dataset_file)
    # in the folder of the images, with a wrong mask_suffix masks would count as images
    is_apart = folders["images"] != folders["masks"]
    may_lack_masks = dataset_file.unlabelled is not None and is_apart and not ignored[folders["masks"]]
    for kind, folder in folders.items():
        if not files[kind] and not (kind == "masks" and may_lack_masks):
            key = _KINDS[kind]
            raise InvalidDataError(
                f"no file in {folder} ends with {' or '.join(getattr(dataset_file, key))}"
                f" ({_describe_suffixes(folder)}); set {key}",
                code="E-data-pairs",
            )
    named = {kind: _by_name(files[kind], folder) for kind, folder in folders.items()}
    image_of, mask_of, roi_of = named["images"], named["masks"], named.get("roi", {})
    paired = image_of.keys() & mask_of.keys()
    lone_images, lone_masks = _lone(image_of, mask_of), _lone(mask_of, image_of)
    if dataset_file.unlabelled is not None:
        if lone_images and lone_masks:
            raise InvalidDataError(
                f"{len(lone_images)} images have no mask, first {lone_images[0]}, and {len(lone_masks)} masks have"
                f" no image, first {lone_masks[0]}: if these belong together, unlabelled would set"
                f" {dataset_file.classes[dataset_file.unlabelled]} for labelled images; rename the masks, set"
                " mask_suffix, or remove them",
                code="E-data-pairs",
            )
        paired, lone_images = image_of.keys(), ()
    if "roi" in folders:
        paired = paired & roi_of.keys()
    return Pairing(
        pairs=tuple(Pair(image_of[name], mask_of.get(name), roi_of.get(name)) for name in sorted(paired)),
        images_without_mask=lone_images,
        masks_without_image=lone_masks,
        ignored_files=tuple(sorted(path for paths in ignored.values() for path in paths)),
        images_without_roi=_lone(image_of, roi_of) if "roi" in folders else (),
        rois_without_image=_lone(roi_of, image_of),
    )


def _lone(files: Mapping[str, Path], partners: Mapping[str, Path]) -> tuple[Path, ...]:
    """Return the files whose name no partner has, in the order of their names."""
    return tuple(files[name] for name in sorted(files.keys() - partners.keys()))


def name_files(folder: Path, suffixes: Sequence[str], excluded: Path | None = None) -> dict[str, Path]:
    """Return the files with one of these suffixes, any case, by their path below the folder without the suffix.

    Args:
        folder: with its sub-folders, linked ones too.
        suffixes: such as `.png` or `_mask.png`.
        excluded: a folder whose files are left out if it lies inside.

    Raises:
        ValueError: two files have the same name.
    """
    files, _ = _sort_by_suffix(_files_below(folder, [excluded] if excluded else []), {"files": suffixes})
    return _by_name(files["files"], folder)


def _files_below(folder: Path, excluded: Sequence[Path]) -> Iterator[Path]:
    """Yield the visible files, without those of `excluded` folders that lie inside or are linked there."""
    return walk_files(folder, skip_folder=lambda path: any(other.samefile(path) for other in excluded))


def _sort_folders(
    folders: Mapping[str, Path], dataset_file: DatasetFile
) -> tuple[dict[str, list[tuple[Path, str]]], dict[Path, list[Path]]]:
    """Return the files of each kind (a key of `_KINDS`), each with its suffix, and the other files of each folder."""
    files: dict[str, list[tuple[Path, str]]] = {}
    ignored: dict[Path, list[Path]] = {}
    for folder in dict.fromkeys(folders.values()):
        suffixes = {kind: getattr(dataset_file, _KINDS[kind]) for kind in folders if folders[kind] == folder}
        others = [other for other in folders.values() if other != folder]
        of_kind, ignored[folder] = _sort_by_suffix(_files_below(folder, others), suffixes)
        files |= of_kind
    return files, ignored


def _sort_by_suffix(
    files: Iterable[Path], suffixes: Mapping[str, Sequence[str]]
) -> tuple[dict[str, list[tuple[Path, str]]], list[Path]]:
    """Return the files of each kind, each with its suffix, and other files.

    If suffixes of several kinds fit, the longest one decides; of equal ones, that of the first kind.
    """
    of_kind: dict[str, list[tuple[Path, str]]] = {kind: [] for kind in suffixes}
    others = []
    for path in files:
        endings = {kind: _ending(path, suffixes[kind]) for kind in suffixes}
        kind = max(endings, key=lambda kind: len(endings[kind]))
        if endings[kind]:
            of_kind[kind].append((path, endings[kind]))
        else:
            others.append(path)
    return of_kind, others


def _ending(path: Path, suffixes: Sequence[str]) -> str:
    name = path.name.lower()
    fitting = [suffix for suffix in suffixes if name.endswith(suffix.lower())]
    return max(fitting, key=len, default="")


def _by_name(files: Sequence[tuple[Path, str]], folder: Path) -> dict[str, Path]:
    by_name: dict[str, Path] = {}
    for path, suffix in sorted(files):
        name = path.relative_to(folder).as_posix()[: -len(suffix)]
        name = unicodedata.normalize("NFC", name)  # macOS writes an accented letter as two characters
        if name in by_name:
            raise InvalidDataError(
                f"{by_name[name]} and {path} have the same name without suffix; rename one of them", code="E-data-pairs"
            )
        by_name[name] = path
    return by_name


def _describe_suffixes(folder: Path) -> str:
    counts = Counter(path.suffix or path.name for path in _files_below(folder, []))
    listed = ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common(4))
    return f"found {listed}" if listed else "it is empty"


def _read_list(list_path: Path, dataset_file: DatasetFile) -> Pairing:
    root = dataset_file.root
    if not list_path.is_file():
        raise MissingDataError(f"no list of pairs {list_path}", code="E-data-missing")
    pairs, missing = [], []
    rows = csv.reader(io.StringIO(read_list_text(list_path), newline=""), skipinitialspace=True)
    expected = "image,mask"
    for number, cells in enumerate(rows, 1):
        row = [cell.strip() for cell in cells]
        is_comment = bool(row) and row[0].startswith("#") and not resolve_listed_path(row[0], root).exists()
        if number == 1 and tuple(row) in (PAIR_COLUMNS[:2], PAIR_COLUMNS):
            expected = ",".join(row)
            continue
        if not any(row) or is_comment:
            continue
        if len(row) == len(PAIR_COLUMNS) and not pairs:
            expected = ",".join(PAIR_COLUMNS)
        image, mask, roi = [*row, "", ""][:3] if len(row) <= len(PAIR_COLUMNS) else ("", "", "")
        found = f"{list_path} line {number}: expected {expected}, found {','.join(row)!r}"
        if image and not mask and dataset_file.unlabelled is None:
            hint = f"name its mask, or set unlabelled in {dataset_file.path}, the class of images without mask"
            raise InvalidDataError(f"{found}; {hint}", code="E-data-pairs")
        if not image:
            raise InvalidDataError(found, code="E-data-pairs")
        if bool(roi) != (expected == ",".join(PAIR_COLUMNS)):
            hint = "in one list all images have a region of interest (roi), or none has"
            raise InvalidDataError(f"{found}; {hint}", code="E-data-pairs")
        mask_path, roi_path = (resolve_listed_path(cell, root) if cell else None for cell in (mask, roi))
        pair = Pair(resolve_listed_path(image, root), mask_path, roi_path)
        missing += [(number, path) for path in pair if path is not None and not path.is_file()]
        pairs.append(pair)
    if missing:
        number, path = missing[0]
        more = f" ({len(missing)} files are missing in total)" if len(missing) > 1 else ""
        raise MissingDataError(
            f"{list_path} line {number}: no file {path}{more}; paths are relative to {root}", code="E-data-missing"
        )
    if not pairs:
        raise InvalidDataError(f"{list_path} lists no pair; expected lines of {expected}", code="E-data-pairs")
    return Pairing(tuple(pairs))
