"""Find the mask of each photograph."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from semseg.datasets.dataset_file import DatasetFile
from semseg.errors import InvalidDataError, MissingDataError
from semseg.system.folders import walk_files
from semseg.system.path_lists import read_list_text, resolve_listed_path


class Pair(NamedTuple):
    """A photograph and its mask; None: there is no mask, and all pixels have the class `unlabelled` of dataset.yaml."""

    image_path: Path
    mask_path: Path | None


@dataclass(frozen=True)
class Pairing:
    """The files of one split.

    Attributes:
        pairs: in the order of their names, or of the list.
        images_without_mask: photographs without a mask of the same name. With `unlabelled` in the dataset.yaml they
            are in `pairs` instead.
        masks_without_image: masks without a photograph of the same name.
        ignored_files: neither photographs nor masks by their suffixes; without hidden files.
    """

    pairs: tuple[Pair, ...]
    images_without_mask: tuple[Path, ...] = ()
    masks_without_image: tuple[Path, ...] = ()
    ignored_files: tuple[Path, ...] = ()


def find_pairs(dataset_file: DatasetFile, split: str) -> Pairing:
    """Pair the photographs and masks of a split.

    In folders, a photograph and a mask form a pair if their paths below their folders are equal without the suffix.
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
    image_dir, mask_dir = dataset_file.root / places.images, dataset_file.root / places.masks
    for key, folder in (("images", image_dir), ("masks", mask_dir)):
        if not folder.is_dir():
            raise MissingDataError(
                f"no folder {folder}; {dataset_file.path} names it as splits.{split}.{key}", code="E-data-missing"
            )
    image_suffix, mask_suffix = dataset_file.image_suffix, dataset_file.mask_suffix
    if image_dir == mask_dir:
        kinds = (image_suffix, mask_suffix)
        images, masks, ignored = _sort_by_suffix(list(_files_below(image_dir, None)), kinds)
        may_be_empty = False  # with a wrong mask_suffix, masks would count as images
    else:
        images, _, ignored_images = _sort_by_suffix(list(_files_below(image_dir, mask_dir)), (image_suffix, ()))
        _, masks, ignored_masks = _sort_by_suffix(list(_files_below(mask_dir, image_dir)), ((), mask_suffix))
        ignored = ignored_images + ignored_masks
        may_be_empty = dataset_file.unlabelled is not None and not ignored_masks
    for key, folder, files, suffixes in (
        ("image_suffix", image_dir, images, image_suffix),
        ("mask_suffix", mask_dir, masks, mask_suffix),
    ):
        if not files and not (files is masks and may_be_empty):
            raise InvalidDataError(
                f"no file in {folder} ends with {' or '.join(suffixes)} ({_describe_suffixes(folder)}); set {key}",
                code="E-data-pairs",
            )
    image_of, mask_of = _by_name(images, image_dir), _by_name(masks, mask_dir)
    paired = image_of.keys() & mask_of.keys()
    lone_images = tuple(image_of[name] for name in sorted(image_of.keys() - mask_of.keys()))
    lone_masks = tuple(mask_of[name] for name in sorted(mask_of.keys() - image_of.keys()))
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
    return Pairing(
        pairs=tuple(Pair(image_of[name], mask_of.get(name)) for name in sorted(paired)),
        images_without_mask=lone_images,
        masks_without_image=lone_masks,
        ignored_files=tuple(sorted(ignored)),
    )


def name_files(folder: Path, suffixes: Sequence[str], excluded: Path | None = None) -> dict[str, Path]:
    """Return the files with one of these suffixes, any case, by their path below the folder without the suffix.

    Args:
        folder: with its sub-folders, linked ones too.
        suffixes: such as `.png` or `_mask.png`.
        excluded: a folder whose files are left out if it lies inside.

    Raises:
        ValueError: two files have the same name.
    """
    return _by_name(_sort_by_suffix(list(_files_below(folder, excluded)), (suffixes, ()))[0], folder)


def _files_below(folder: Path, excluded: Path | None) -> Iterator[Path]:
    """Yield the visible files, without those of `excluded` if it lies inside or is linked there."""
    return walk_files(folder, skip_folder=None if excluded is None else excluded.samefile)


def _sort_by_suffix(
    files: Sequence[Path], suffixes: tuple[Sequence[str], Sequence[str]]
) -> tuple[list[tuple[Path, str]], list[tuple[Path, str]], list[Path]]:
    """Return images and masks, each with its suffix, and other files; if both suffixes fit, the longer one decides."""
    images, masks, others = [], [], []
    for path in files:
        image, mask = (_ending(path, kind) for kind in suffixes)
        if len(mask) > len(image):
            masks.append((path, mask))
        elif image:
            images.append((path, image))
        else:
            others.append(path)
    return images, masks, others


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
    counts = Counter(path.suffix or path.name for path in _files_below(folder, None))
    listed = ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common(4))
    return f"found {listed}" if listed else "it is empty"


def _read_list(list_path: Path, dataset_file: DatasetFile) -> Pairing:
    root = dataset_file.root
    if not list_path.is_file():
        raise MissingDataError(f"no list of pairs {list_path}", code="E-data-missing")
    pairs, missing = [], []
    rows = csv.reader(io.StringIO(read_list_text(list_path), newline=""), skipinitialspace=True)
    for number, cells in enumerate(rows, 1):
        row = [cell.strip() for cell in cells]
        is_comment = bool(row) and row[0].startswith("#") and not resolve_listed_path(row[0], root).exists()
        if not any(row) or is_comment or (number == 1 and row == ["image", "mask"]):
            continue
        image, mask = row if len(row) == 2 else (row[0] if len(row) == 1 else "", "")
        if image and not mask and dataset_file.unlabelled is None:
            hint = f"name its mask, or set unlabelled in {dataset_file.path}, the class of images without mask"
            raise InvalidDataError(
                f"{list_path} line {number}: expected image,mask, found {','.join(row)!r}; {hint}", code="E-data-pairs"
            )
        if not image:
            raise InvalidDataError(
                f"{list_path} line {number}: expected image,mask, found {','.join(row)!r}", code="E-data-pairs"
            )
        pair = Pair(resolve_listed_path(image, root), resolve_listed_path(mask, root) if mask else None)
        missing += [(number, path) for path in pair if path is not None and not path.is_file()]
        pairs.append(pair)
    if missing:
        number, path = missing[0]
        more = f" ({len(missing)} files are missing in total)" if len(missing) > 1 else ""
        raise MissingDataError(
            f"{list_path} line {number}: no file {path}{more}; paths are relative to {root}", code="E-data-missing"
        )
    if not pairs:
        raise InvalidDataError(f"{list_path} lists no pair; expected lines of image,mask", code="E-data-pairs")
    return Pairing(tuple(pairs))
