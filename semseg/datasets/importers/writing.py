"""Write the files of an import: index PNGs, and a dataset.yaml, which is read again by later imports."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import yaml

from semseg.datasets.dataset_file import DatasetFile, read_dataset_file
from semseg.datasets.dataset_keys import SPLITS, Split, hex_color
from semseg.datasets.dataset_writing import list_name, relative_to_folder, write_pairs, write_text
from semseg.datasets.importers.class_lists import Classes
from semseg.datasets.importers.labelme import read_embedded_image
from semseg.datasets.importers.photos import Photo
from semseg.datasets.importers.shapes import Shape, Size, paint
from semseg.datasets.index_png import write_index_png
from semseg.datasets.masks import decode_mask
from semseg.datasets.pairs import Pair
from semseg.errors import InvalidInputError
from semseg.system.atomic import atomic_path

_TITLE = "# Written by tools/dataset.py import, which replaces it (the old one becomes dataset.yaml.bak)."
_ENTRY = re.compile(r"# (?P<split>\w+): (?P<format>[\w.-]+) (?P<source>.+)")
MASK_FOLDER = "train_ids"
IMAGE_FOLDER = "images"


class Origin(NamedTuple):
    """The source of an imported split; `source` is relative to the folder of dataset.yaml."""

    format: str
    source: str

    @classmethod
    def of(cls, format_name: str, source: Path, out_dir: Path) -> Origin:
        """Return the origin of what is imported into a folder."""
        return cls(format_name, relative_to_folder(source, out_dir))


@dataclass(frozen=True)
class Existing:
    """The dataset.yaml of earlier imports into a folder."""

    origins: dict[str, Origin]  # by split
    file: DatasetFile


@dataclass(frozen=True)
class Picture:
    """A mask to write. It is painted from shapes, or decoded from a coloured mask."""

    image_path: Path
    target_path: Path
    copy_path: Path | None  # where to copy the image; None: it is not copied
    size: Size
    shapes: tuple[Shape, ...]
    mask_path: Path | None
    is_embedded: bool = False  # `image_path` is a file of labelme, whose image is written to `copy_path`


@dataclass(frozen=True)
class Brush:
    """The settings for all pictures; `background` is the train id of unpainted pixels."""

    train_ids: dict[str, int]
    background: int
    palette: Sequence  # RGB of the classes, shape (num_classes, 3)
    described: DatasetFile | None


class Count(NamedTuple):
    """Numbers of pixels of a mask; `covered` as in `Painting`."""

    unpainted_px: int
    all_px: int
    covered: Counter[tuple[int, int]]


class Written(NamedTuple):
    """Statistics of an import.

    Attributes:
        unpainted_share: share of the pixels that no shape covers, 0 to 1.
        covered: number of pixels by (train id below, train id above), where shapes of two classes overlap.
        num_px: number of pixels of all masks.
    """

    unpainted_share: float
    covered: Counter[tuple[int, int]]
    num_px: int


def read_existing(out_dir: Path, overwrite: bool) -> Existing | None:
    """Read the dataset.yaml that earlier imports have written to a folder; None if there is none, or it is overwritten.

    Raises:
        ValueError: the dataset.yaml was not written by an import, and `overwrite` is False.
    """
    path = out_dir / "dataset.yaml"
    if not path.is_file():
        return None
    title, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
    if title == _TITLE:
        matches = [match for line in lines if (match := _ENTRY.fullmatch(line))]
        origins = {match["split"]: Origin(match["format"], match["source"]) for match in matches}
        file = read_dataset_file(path)
        if {split: Split(pairs=Path(list_name(split))) for split in origins} == file.splits:
            return Existing(origins, file)
    if overwrite:
        return None
    raise InvalidInputError(
        f"{path} was not written by an import, or was changed; give another `out_dir`, or `overwrite` to replace it",
        code="E-input-used",
    )


def vet_origin(out_dir: Path, origin: Origin, overwrite: bool) -> None:
    """Raise an error if a folder holds a data set of another origin, for imports that write all splits at once.

    Raises:
        ValueError: it does, and `overwrite` is False.
    """
    existing = read_existing(out_dir, overwrite)
    others = [other for other in (existing.origins.values() if existing else ()) if other != origin]
    if existing and others and not overwrite:
        raise InvalidInputError(
            f"{existing.file.path} has splits from {others[0].format} {others[0].source}; give another `out_dir`, or "
            "`overwrite` to replace it",
            code="E-input-used",
        )


def plan_pictures(photos: Sequence[Photo], out_dir: Path, split: str, exif: str, copy: bool) -> tuple[Picture, ...]:
    """Return the masks of a split to write, with their paths, in the order of the photographs.

    Args:
        photos: with their annotations.
        out_dir: folder of dataset.yaml.
        split: name of the split.
        exif: of the data set, `apply` or `ignore`.
        copy: whether the photographs are copied. Those that are embedded in an annotation always are.
    """
    pictures = []
    for photo in photos:
        name = PurePosixPath(photo.annotated.name)
        copy_path = out_dir / IMAGE_FOLDER / split / f"{name}{photo.suffix}"
        pictures.append(
            Picture(
                image_path=photo.path,
                target_path=out_dir / MASK_FOLDER / split / f"{name}.png",
                copy_path=copy_path if copy or photo.is_embedded else None,
                size=photo.size(exif),
                shapes=photo.annotated.shapes,
                mask_path=photo.annotated.mask_path,
                is_embedded=photo.is_embedded,
            )
        )
    return tuple(pictures)


def make_brush(classes: Classes, train_ids: dict[str, int], background: int, described: DatasetFile | None) -> Brush:
    """Return the settings for all masks of an import."""
    return Brush(train_ids, background, classes.colors, described)


def write_picture(brush: Brush, picture: Picture) -> Count:
    """Write the index PNG of an image, and a copy of the image if `copy_path` is set."""
    if picture.mask_path is not None:
        assert brush.described is not None  # set for coloured masks
        train_ids = decode_mask(picture.mask_path, brush.described)
        num_unpainted, covered = 0, Counter()
    else:
        train_ids, painted, covered = paint(picture.shapes, picture.size, brush.train_ids.__getitem__)
        train_ids[~painted] = brush.background
        num_unpainted = int((~painted).sum())
    write_index_png(picture.target_path, train_ids, brush.palette, compress_level=3)
    if picture.copy_path is not None:
        with atomic_path(picture.copy_path) as temporary:
            if picture.is_embedded:
                temporary.write_bytes(read_embedded_image(picture.image_path))
            else:
                shutil.copyfile(picture.image_path, temporary)
    return Count(num_unpainted, train_ids.size, covered)


def write_list(out_dir: Path, split: str, pictures: Sequence[Picture]) -> None:
    """Write the list of pairs of a split, with the copy of a photograph if there is one."""
    pairs = [Pair(picture.copy_path or picture.image_path, picture.target_path) for picture in pictures]
    write_pairs(out_dir / list_name(split), pairs)


def write_dataset_file(
    path: Path,
    origins: Mapping[str, Origin],
    classes: Classes,
    exif: str,
    label_map: Mapping[int, str] | None = None,
) -> None:
    """Write dataset.yaml; a different one is kept as dataset.yaml.bak.

    Args:
        path: of the file.
        origins: of each split, for later imports.
        classes: of the set.
        exif: `apply` or `ignore`.
        label_map: stored values that do not mean the class at their position; None: there are none.
    """
    splits = [split for split in SPLITS if split in origins]
    header = [_TITLE, *(f"# {split}: {origins[split].format} {origins[split].source}" for split in splits)]
    content = {
        "root": ".",
        "splits": {split: {"pairs": list_name(split)} for split in splits},
        "encoding": "ids",
        "exif": exif,
        "classes": [
            {"name": name, "color": hex_color(color)} for name, color in zip(classes.names, classes.colors, strict=True)
        ],
        **({"label_map": dict(label_map)} if label_map else {}),
    }
    body = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=1000)
    write_text(path, "\n".join([*header, body]))
