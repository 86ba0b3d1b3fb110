"""Read coloured masks whose classes are in a `class_dict.csv`, with all splits: a usual layout of sets on Kaggle.

The columns of the file are a name and red, green, blue, in any order and case; without a header they are in this order.
Seen in CamVid (`train/`, `train_labels/`, `NAME_L.png`), DeepGlobe land cover (`NAME_sat.jpg` and `NAME_mask.png` in
one folder) and the buildings and roads of Massachusetts (`label_class_dict.csv`, `train/`, `train_labels/`).
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from semseg.datasets.dataset_keys import Color, parse_color
from semseg.datasets.importers.layouts import describe_lone_images, missing_layout, pair_folders
from semseg.datasets.importers.parsed import Label, Parsed
from semseg.datasets.pairs import name_files
from semseg.errors import InvalidDataError
from semseg.system.folders import TRAINING_SUFFIXES
from semseg.system.path_lists import read_list_text
from semseg.system.wording import listing

_TITLE = "a set with class_dict.csv"
_SPLITS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
_FOLDERS = (  # of images and masks; {} is a name of the split
    ("{}", "{}_labels"),
    ("png/{}", "png/{}_labels"),
    ("{}", "{}_masks"),
    ("{}", "{}_mask"),
    ("{}", "{}annot"),
    ("{}_images", "{}_labels"),
    ("{}_images", "{}_masks"),
    ("{}/images", "{}/masks"),
    ("{}/images", "{}/labels"),
    ("images/{}", "masks/{}"),
    ("images/{}", "labels/{}"),
    ("{}", "{}"),
)
_ONE_SPLIT = (("images", "masks"), ("images", "labels"))
_MASK_SUFFIXES = ("_label.png", "_labels.png", "_L.png", "_mask.png")
_COLUMNS = {  # header, in lower case
    "name": ("name", "class", "class_name", "label", "classes"),
    "red": ("r", "red"),
    "green": ("g", "green"),
    "blue": ("b", "blue"),
}
_VOID = ("void", "unlabeled", "unlabelled", "unknown", "ignored", "undefined")


def read_class_dict(source: Path) -> Parsed:
    """Read the classes, and pair the images and masks of all splits.

    Raises:
        FileNotFoundError: there is no class_dict.csv, or no folders with one of the usual names.
        ValueError: the file is not a list of names and colours, or masks are not images.
    """
    paths = sorted(source.glob("*class_dict*.csv")) if source.is_dir() else []
    if not paths:
        raise missing_layout(source, _TITLE, ["the file class_dict.csv"])
    labels = _read_labels(paths[0])
    images, notes = [], []
    for split, image_dir, mask_dir in _find_folders(source):
        mask_suffix = _MASK_SUFFIXES if image_dir == mask_dir else (*_MASK_SUFFIXES, ".png")
        if not name_files(mask_dir, mask_suffix):
            lone = list(name_files(image_dir, TRAINING_SUFFIXES).values())
            notes += describe_lone_images(split, lone, mask_dir)
            continue
        pairs, lone = pair_folders(split, image_dir, mask_dir, ("_sat.jpg", *TRAINING_SUFFIXES), mask_suffix)
        images += pairs
        notes += describe_lone_images(split, lone, image_dir)
    if not images:
        examples = [f"{images.format('train')}/ and {masks.format('train')}/" for images, masks in _FOLDERS[:1]]
        examples += [f"{images}/ and {masks}/" for images, masks in _ONE_SPLIT[:1]]
        raise missing_layout(source, _TITLE, [*examples, "train/ with NAME.jpg and NAME_mask.png"])
    if void := [label.name for label in labels if label.name and label.name.casefold() in _VOID]:
        notes.append(f"{listing(void)} counts as a class; `label_map` {void[0]}=ignore leaves its pixels out")
    title = f"{source.name} with {paths[0].name}"
    return Parsed(tuple(images), encoding="rgb", labels=labels, notes=tuple(notes), title=title)


def _find_folders(source: Path) -> list[tuple[str, Path, Path]]:
    """Return split, folder of images and folder of masks; the first pattern that fits is used for all splits."""
    for images, masks in _FOLDERS:
        found = [
            (split, source / images.format(name), source / masks.format(name))
            for split, names in _SPLITS.items()
            for name in names
            if (source / images.format(name)).is_dir() and (source / masks.format(name)).is_dir()
        ]
        if found:
            return found
    return [
        ("train", source / images, source / masks)
        for images, masks in _ONE_SPLIT
        if (source / images).is_dir() and (source / masks).is_dir()
    ][:1]


def _read_labels(path: Path) -> tuple[Label, ...]:
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(read_list_text(path)))]
    rows = [row for row in rows if any(row)]
    header = [cell.casefold() for cell in rows[0]] if rows else []
    position = {
        column: next((header.index(name) for name in names if name in header), None)
        for column, names in _COLUMNS.items()
    }
    if None not in position.values():
        rows = rows[1:]
    elif len(header) == 4 and all(cell.isdigit() for cell in header[1:]):
        position = dict(zip(_COLUMNS, range(4), strict=True))
    else:
        missing = [column for column, index in position.items() if index is None]
        raise InvalidDataError(
            f"{path}: no column for {listing(missing, 4)}; expected the columns name, r, g, b, found"
            f" {', '.join(header) or 'nothing'}",
            code="E-data-classes",
        )
    labels: dict[Color, Label] = {}
    for row in rows:
        try:
            name, *channels = (row[index] for index in position.values() if index is not None)
            color = parse_color([int(channel) for channel in channels])
        except (IndexError, ValueError):
            raise InvalidDataError(
                f"{path}: {','.join(row)!r} is not a name with three numbers from 0 to 255", code="E-data-classes"
            ) from None
        if color in labels:
            raise InvalidDataError(
                f"{path}: {labels[color].name!r} and {name!r} have the same colour; give each class another one",
                code="E-data-classes",
            )
        labels[color] = Label(color, None if name.casefold() == "ignore" else name, color)
    return tuple(labels.values())
