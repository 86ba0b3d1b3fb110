"""Write the files of an import: index PNGs, and a dataset.yaml, which is read again by later imports."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import yaml
from PIL import Image

from semseg.datasets.dataset_file import DatasetFile, read_dataset_file
from semseg.datasets.dataset_keys import SPLITS, Split, hex_color
from semseg.datasets.dataset_writing import list_name, relative_to_folder, write_pairs, write_text
from semseg.datasets.importers.class_lists import Classes
from semseg.datasets.importers.parsed import EmbeddedImage, Request, StoredMask
from semseg.datasets.importers.photos import Photo
from semseg.datasets.importers.shapes import Shape, Size, paint
from semseg.datasets.index_png import write_index_png
from semseg.datasets.masks import decode_mask
from semseg.datasets.pairs import Pair
from semseg.datasets.roi import read_roi
from semseg.errors import InvalidInputError
from semseg.system.atomic import atomic_path

_TITLE = "# Written by tools/dataset.py import, which replaces it (the old one becomes dataset.yaml.bak)."
_ENTRY = re.compile(r"# (?P<split>\w+): (?P<format>[\w.-]+) (?P<source>.+)")
MASK_FOLDER = "train_ids"
IMAGE_FOLDER = "images"
_ROI_FOLDER = "roi"
_BLACK_AND_WHITE = ((0, 0, 0), (255, 255, 255))


class Origin(NamedTuple):
    """The source of an imported split; `source` is relative to the folder of dataset.yaml."""

    format: str
    source: str

    @classmethod
    def of(cls, request: Request) -> Origin:
        """Return the origin of what is imported."""
        return cls(request.format, relative_to_folder(request.source, request.out_dir))


@dataclass(frozen=True)
class Existing:
    """The dataset.yaml of earlier imports into a folder."""

    origins: dict[str, Origin]  # by split
    file: DatasetFile


@dataclass(frozen=True)
class Picture:
    """An image with its mask, which is painted from shapes, decoded, or read where it is."""

    split: str
    image_path: Path  # or the file that the image is embedded in
    embedded: EmbeddedImage | None
    target_path: Path  # of the index PNG
    copy_path: Path | None  # where to copy the image; None: it is not copied
    size: Size
    shapes: tuple[Shape, ...]
    mask: Path | StoredMask | None
    roi_path: Path | None
    roi_target_path: Path | None

    @property
    def is_embedded(self) -> bool:
        """Whether `image_path` is a file that holds the image, which is written to `copy_path`."""
        return self.embedded is not None

    def open_mask(self) -> Path | Image.Image:
        """Return the mask for `masks.decode_mask`; there is one instead of shapes."""
        assert self.mask is not None
        return self.mask if isinstance(self.mask, Path) else self.mask.open()


@dataclass(frozen=True)
class Brush:
    """The settings for all pictures.

    Attributes:
        train_ids: of the labels of shapes.
        background: train id of unpainted pixels.
        palette: RGB of the classes, shape (num_classes, 3).
        rules: of the masks; None: there are shapes.
    """

    train_ids: Mapping[str, int]
    background: int
    palette: Sequence
    rules: DatasetFile | None


class Count(NamedTuple):
    """Numbers of pixels of a mask.

    `class_px` is by train id, int64, shape (256,), inside of the region of interest; `covered` as in `Painting`.
    """

    class_px: np.ndarray
    unpainted_px: int
    all_px: int
    covered: Counter[tuple[int, int]]


class Written(NamedTuple):
    """Statistics of an import.

    Attributes:
        unpainted_share: share of the pixels that no shape covers, 0 to 1.
        covered: number of pixels by (train id below, train id above), where shapes of two classes overlap.
        num_px: number of pixels of all masks.
        class_px: number of pixels by split and train id, inside of regions of interest.
    """

    unpainted_share: float
    covered: Counter[tuple[int, int]]
    num_px: int
    class_px: dict[str, np.ndarray]

    @classmethod
    def of(cls, pictures: Sequence[Picture], counts: Sequence[Count]) -> Written:
        """Return the statistics of pictures; without `counts`, their masks stay where they are."""
        num_px = sum(count.all_px for count in counts)
        class_px: dict[str, np.ndarray] = {}
        for picture, count in zip(pictures, counts, strict=bool(counts)):
            class_px[picture.split] = class_px.get(picture.split, 0) + count.class_px
        covered = sum((count.covered for count in counts), Counter())
        return cls(sum(count.unpainted_px for count in counts) / max(1, num_px), covered, num_px, class_px)


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


def find_siblings(request: Request, has_splits: bool) -> Existing | None:
    """Return the dataset.yaml in the output folder with the splits that the import keeps; None if there are none.

    Args:
        request: what to import.
        has_splits: the import writes all splits at once; it keeps none.

    Raises:
        ValueError: a split that is written has another origin, or the dataset.yaml was not written by an import, and
            `overwrite` is False.
    """
    existing = read_existing(request.out_dir, request.overwrite)
    if existing is None:
        return None
    kept = {split: old for split, old in existing.origins.items() if not has_splits and split != request.split}
    replaced = [old for split, old in existing.origins.items() if split not in kept and old != Origin.of(request)]
    if replaced and not request.overwrite:
        splits, place = ("splits", "") if has_splits else (f"a split {request.split}", "`split` or ")
        raise InvalidInputError(
            f"{existing.file.path} has {splits} from {replaced[0].format} {replaced[0].source}; give another {place}"
            "`out_dir`, or `overwrite` to replace it",
            code="E-input-used",
        )
    return replace(existing, origins=kept) if kept else None


def plan_pictures(photos: Iterable[Photo], request: Request, exif: str) -> tuple[Picture, ...]:
    """Return the masks to write, with their paths, in the order of the photographs.

    Args:
        photos: with their annotations. Those that are embedded in another file are always copied.
        request: where to write them.
        exif: of the data set, `apply` or `ignore`.
    """
    pictures = []
    for photo in photos:
        annotated = photo.annotated
        split, name = annotated.split or request.split, PurePosixPath(annotated.name)
        copy_path = request.out_dir / IMAGE_FOLDER / split / f"{name}{photo.suffix}"
        pictures.append(
            Picture(
                split=split,
                image_path=photo.path,
                embedded=photo.embedded,
                target_path=request.out_dir / MASK_FOLDER / split / f"{name}.png",
                copy_path=copy_path if request.copy or photo.embedded else None,
                size=photo.size(exif),
                shapes=annotated.shapes,
                mask=annotated.mask,
                roi_path=annotated.roi_path,
                roi_target_path=request.out_dir / _ROI_FOLDER / split / f"{name}.png" if annotated.roi_path else None,
            )
        )
    return tuple(pictures)


def write_picture(brush: Brush, picture: Picture) -> Count:
    """Write the index PNG of an image, its region of interest, and a copy of the image if `copy_path` is set."""
    num_unpainted, covered = 0, Counter()
    if brush.rules is not None:
        train_ids = decode_mask(picture.open_mask(), brush.rules)
    else:
        train_ids, painted, covered = paint(picture.shapes, picture.size, brush.train_ids.__getitem__)
        train_ids[~painted] = brush.background
        num_unpainted = int((~painted).sum())
    write_index_png(picture.target_path, train_ids, brush.palette, compress_level=3)
    counted = train_ids
    if picture.roi_path is not None and picture.roi_target_path is not None:
        inside = read_roi(picture.roi_path)
        write_index_png(picture.roi_target_path, inside.astype(np.uint8), _BLACK_AND_WHITE, compress_level=3)
        counted = train_ids[inside]
    if picture.copy_path is not None:
        with atomic_path(picture.copy_path) as temporary:
            if picture.embedded is not None:
                temporary.write_bytes(picture.embedded.read())
            else:
                shutil.copyfile(picture.image_path, temporary)
    return Count(np.bincount(counted.ravel(), minlength=256), num_unpainted, train_ids.size, covered)


def write_lists(out_dir: Path, pictures: Sequence[Picture], are_written: bool) -> list[str]:
    """Write the list of pairs of each split, and return the splits.

    Args:
        out_dir: folder of the lists.
        pictures: of all splits.
        are_written: list the index PNGs, and the copies of photographs if there are any; otherwise the masks where
            they are.
    """
    pairs: dict[str, list[Pair]] = {}
    for picture in pictures:
        if are_written:
            pair = Pair(picture.copy_path or picture.image_path, picture.target_path, picture.roi_target_path)
        else:
            assert isinstance(picture.mask, Path)
            pair = Pair(picture.image_path, picture.mask)
        pairs.setdefault(picture.split, []).append(pair)
    for split, of_split in pairs.items():
        write_pairs(out_dir / list_name(split), of_split)
    return list(pairs)


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
