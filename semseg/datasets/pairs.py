"""Which mask belongs to which photograph."""

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
    """A photograph and its mask; None: it has none, and the `unlabelled` of its dataset.yaml says what it shows."""

    image_path: Path
    mask_path: Path | None


@dataclass(frozen=True)
class Pairing:
    """The files of one split.

    Attributes:
        pairs: in the order of their names, or of the list.
        images_without_mask: photographs that nobody labelled, or whose mask has another name. With `unlabelled` in the
            dataset.yaml they are among the pairs instead.
        masks_without_image: as `images_without_mask`.
        ignored_files: neither a photograph nor a mask by their suffixes; hidden files are not among them.
    """

    pairs: tuple[Pair, ...]
    images_without_mask: tuple[Path, ...] = ()
    masks_without_image: tuple[Path, ...] = ()
    ignored_files: tuple[Path, ...] = ()


def find_pairs(dataset_file: DatasetFile, split: str) -> Pairing:
    """Pair the photographs and masks of a split.

    In folders, those belong together whose path below their folder is the same without the suffix. What has
    no partner is returned, not refused. Linked folders are followed. A suffix may be a whole name, as where each image
    has a folder of its own with `image.jpg` and `mask.png`.

    Raises:
        FileNotFoundError: a folder is missing, the list, or a file that the list names.
        ValueError: the set has no such split, a folder holds no file with the suffix (the sentence says what
            it holds instead), two files claim one name, or the list has a line that is not `image,mask`. With
            `unlabelled`: photographs without mask and masks without photograph, which may belong together.
    """
    if split not in dataset_file.splits:
        has = ", ".join(dataset_file.splits)
        raise InvalidDataError(f"{dataset_file.path} has no split {split!r}, only {has}; add it under splits")
    places = dataset_file.splits[split]
    if places.pairs is not None:
        return _read_list(dataset_file.root / places.pairs, dataset_file)
    image_dir, mask_dir = dataset_file.root / places.images, dataset_file.root / places.masks
    for key, folder in (("images", image_dir), ("masks", mask_dir)):
        if not folder.is_dir():
            raise MissingDataError(f"no folder {folder}; {dataset_file.path} names it as splits.{split}.{key}")
    image_suffix, mask_suffix = dataset_file.image_suffix, dataset_file.mask_suffix
    if image_dir == mask_dir:
        kinds = (image_suffix, mask_suffix)
        images, masks, ignored = _sort_out(list(_files_below(image_dir, None)), kinds)
        may_be_empty = False  # a wrong mask_suffix would make images of the masks
    else:
        images, _, ignored_images = _sort_out(list(_files_below(image_dir, mask_dir)), (image_suffix, ()))
        _, masks, ignored_masks = _sort_out(list(_files_below(mask_dir, image_dir)), ((), mask_suffix))
        ignored = ignored_images + ignored_masks
        may_be_empty = dataset_file.unlabelled is not None and not ignored_masks
    for key, folder, found, suffixes in (
        ("image_suffix", image_dir, images, image_suffix),
        ("mask_suffix", mask_dir, masks, mask_suffix),
    ):
        if not found and not (found is masks and may_be_empty):
            raise InvalidDataError(
                f"no file in {folder} ends with {' or '.join(suffixes)} ({_found(folder)}); set {key}"
            )
    image_of, mask_of = _by_name(images, image_dir), _by_name(masks, mask_dir)
    paired = image_of.keys() & mask_of.keys()
    images_alone = tuple(image_of[name] for name in sorted(image_of.keys() - mask_of.keys()))
    masks_alone = tuple(mask_of[name] for name in sorted(mask_of.keys() - image_of.keys()))
    if dataset_file.unlabelled is not None:
        if images_alone and masks_alone:
            raise InvalidDataError(
                f"{len(images_alone)} images have no mask, first {images_alone[0]}, and {len(masks_alone)} masks have"
                f" no image, first {masks_alone[0]}: if these belong together, unlabelled would make"
                f" {dataset_file.classes[dataset_file.unlabelled]} of labelled images; rename the masks, set"
                " mask_suffix, or remove them"
            )
        paired, images_alone = image_of.keys(), ()
    return Pairing(
        pairs=tuple(Pair(image_of[name], mask_of.get(name)) for name in sorted(paired)),
        images_without_mask=images_alone,
        masks_without_image=masks_alone,
        ignored_files=tuple(sorted(ignored)),
    )


def name_files(folder: Path, suffixes: Sequence[str], other: Path | None = None) -> dict[str, Path]:
    """Return the files with one of these suffixes, any case, by their path below the folder without the suffix.

    Args:
        folder: with its sub-folders, linked ones too.
        suffixes: such as `.png` or `_mask.png`.
        other: a folder that is left out where it lies inside.

    Raises:
        ValueError: two files have one name.
    """
    return _by_name(_sort_out(list(_files_below(folder, other)), (suffixes, ()))[0], folder)


def _files_below(folder: Path, other: Path | None) -> Iterator[Path]:
    """Yield the visible files; those of `other` are not its own, where that lies inside, or is linked there."""
    return walk_files(folder, skip_folder=None if other is None else other.samefile)


def _sort_out(
    files: Sequence[Path], suffixes: tuple[Sequence[str], Sequence[str]]
) -> tuple[list[tuple[Path, str]], list[tuple[Path, str]], list[Path]]:
    """Tell images, masks (each with its suffix) and others apart; of two suffixes the longer decides."""
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
        name = unicodedata.normalize("NFC", name)  # macOS spells accents in two characters
        if name in by_name:
            raise InvalidDataError(f"{by_name[name]} and {path} have one name without suffix; rename one of them")
        by_name[name] = path
    return by_name


def _found(folder: Path) -> str:
    counts = Counter(path.suffix or path.name for path in _files_below(folder, None))
    listed = ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common(4))
    return f"found {listed}" if listed else "it is empty"


def _read_list(list_path: Path, dataset_file: DatasetFile) -> Pairing:
    root = dataset_file.root
    if not list_path.is_file():
        raise MissingDataError(f"no list of pairs {list_path}")
    pairs, missing = [], []
    rows = csv.reader(io.StringIO(read_list_text(list_path), newline=""), skipinitialspace=True)
    for number, cells in enumerate(rows, 1):
        row = [cell.strip() for cell in cells]
        is_comment = bool(row) and row[0].startswith("#") and not resolve_listed_path(row[0], root).exists()
        if not any(row) or is_comment or (number == 1 and row == ["image", "mask"]):
            continue
        image, mask = row if len(row) == 2 else (row[0] if len(row) == 1 else "", "")
        if image and not mask and dataset_file.unlabelled is None:
            hint = f"name its mask, or say with unlabelled in {dataset_file.path} which class images without mask show"
            raise InvalidDataError(f"{list_path} line {number}: expected image,mask, found {','.join(row)!r}; {hint}")
        if not image:
            raise InvalidDataError(f"{list_path} line {number}: expected image,mask, found {','.join(row)!r}")
        pair = Pair(resolve_listed_path(image, root), resolve_listed_path(mask, root) if mask else None)
        missing += [(number, path) for path in pair if path is not None and not path.is_file()]
        pairs.append(pair)
    if missing:
        number, path = missing[0]
        more = f" ({len(missing)} files are missing in all)" if len(missing) > 1 else ""
        raise MissingDataError(f"{list_path} line {number}: no file {path}{more}; paths start at {root}")
    if not pairs:
        raise InvalidDataError(f"{list_path} lists no pair; expected lines of image,mask")
    return Pairing(tuple(pairs))
