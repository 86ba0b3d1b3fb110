"""Import a published set: all its splits at once, as a dataset.yaml with lists, and index PNGs where they are needed.

Masks that hold ids are not copied: dataset.yaml says with `label_map` what their values mean. With `copy`, they are
written as index PNGs, beside copies of the images, so that the output folder holds everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from semseg.datasets.dataset_file import DatasetFile
from semseg.datasets.dataset_keys import IGNORE, SPLITS
from semseg.datasets.dataset_writing import list_name, write_pairs
from semseg.datasets.importers import writing
from semseg.datasets.importers.class_dict import read_class_dict
from semseg.datasets.importers.class_lists import Classes, assign_train_ids, parse_map
from semseg.datasets.importers.colors import check_colors
from semseg.datasets.importers.index_folders import INDEX_FOLDERS, read_index_folders
from semseg.datasets.importers.photos import Photo, find_photos
from semseg.datasets.importers.vetting import vet_output, vet_photos, vet_shapes, vet_targets
from semseg.datasets.importers.voc import read_voc
from semseg.datasets.importers.whole_sets import Key, WholeSet, choose_classes, vet_splits
from semseg.datasets.importers.yolo import read_yolo
from semseg.datasets.pairs import Pair
from semseg.errors import InvalidDataError, InvalidInputError
from semseg.labels import IGNORED
from semseg.system.worker_pool import run_all

READERS: dict[str, Callable[[Path], WholeSet]] = {
    "class-dict": read_class_dict,
    **{name: partial(read_index_folders, description) for name, description in INDEX_FOLDERS.items()},
    "voc": read_voc,
    "yolo": read_yolo,
}
"""The formats; `semseg/cli/import_sets.py` describes them."""


@dataclass(frozen=True)
class SetRequest:
    """What to import, and where to write it; `tools/dataset.py import FORMAT --help` explains each."""

    format: str  # one of READERS
    source: Path
    out_dir: Path
    label_map: tuple[str, ...] = ()
    snap: float | None = None  # coloured masks only
    skip_broken: bool = False
    copy: bool = False
    overwrite: bool = False
    num_processes: int = 1


@dataclass(frozen=True)
class SetPlan:
    """A checked import.

    Attributes:
        pictures: the images and masks, by split.
        label_map: for dataset.yaml: stored values and their classes, if the masks stay where they are; None: they are
            written as index PNGs.
        notes: what was left out or replaced, for the user.
    """

    request: SetRequest
    title: str
    classes: Classes
    pictures: Mapping[str, tuple[writing.Picture, ...]]
    label_map: Mapping[int, str] | None
    notes: tuple[str, ...]
    exif: str
    brush: writing.Brush = field(repr=False)

    def write(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Write the masks if they do not stay where they are, then the lists of pairs, then dataset.yaml."""
        out_dir = self.request.out_dir
        if self.label_map is None:
            every = [picture for pictures in self.pictures.values() for picture in pictures]
            run_all(partial(writing.write_picture, self.brush), every, self.request.num_processes, on_progress)
        for split, pictures in self.pictures.items():
            if self.label_map is None:
                writing.write_list(out_dir, split, pictures)
            else:
                pairs = [Pair(picture.image_path, picture.mask_path) for picture in pictures]
                write_pairs(out_dir / list_name(split), pairs)
        origins = dict.fromkeys(self.pictures, _origin(self.request))
        writing.write_dataset_file(out_dir / "dataset.yaml", origins, self.classes, self.exif, self.label_map)

    def describe(self) -> list[str]:
        """Return lines of text about the import."""
        counts = ", ".join(f"{split} {len(pictures)}" for split, pictures in self.pictures.items())
        where = "index PNGs in train_ids" if self.label_map is None else "masks and images stay where they are"
        listed_classes = ", ".join(f"{train_id} {name}" for train_id, name in enumerate(self.classes.names))
        return [
            f"{self.request.out_dir / 'dataset.yaml'}: {self.title}; {where}",
            f"images: {counts}",
            f"classes: {listed_classes}",
            *self.notes,
        ]


def plan_set(request: SetRequest, on_progress: Callable[[int, int], None] | None = None) -> SetPlan:
    """Read a published set and check all images and masks; nothing is written.

    Args:
        request: what to import.
        on_progress: called with the number of masks that were checked, and of all.

    Raises:
        FileNotFoundError: the source does not have the layout of the format, or images are missing.
        ValueError: something cannot be imported, such as a value that no class has; or the output folder holds another
            data set.
    """
    if request.format not in READERS:
        raise InvalidInputError(f"`format` {request.format!r}; expected {', '.join(READERS)}", code="E-input-value")
    vet_output(request.out_dir, request.num_processes)
    writing.vet_origin(request.out_dir, _origin(request), request.overwrite)
    label_map = parse_map(request.label_map)
    found = READERS[request.format](request.source)
    vet_splits(found.splits, request.source)
    classes, train_ids, notes = choose_classes(found.labels, label_map, found.title, found.encoding)
    notes = [*found.notes, *notes]
    images = [annotated for of_split in found.splits.values() for annotated in of_split]
    album = find_photos(images)
    notes += vet_photos(len(images), album.missing, album.unfit, request.skip_broken, "replace them, or give")
    exif = album.exif or "apply"
    photos, notes_on_shapes = vet_shapes(album.photos, exif, request.skip_broken)
    notes += notes_on_shapes
    background = train_ids[found.background] if found.background is not None else IGNORED
    if found.encoding == "shapes" and background == IGNORED:
        photos, notes_on_empty = _without_empty(photos)
        notes += notes_on_empty
    split_of = {annotated.image_paths[0]: split for split, of_split in found.splits.items() for annotated in of_split}
    pictures = {}
    for split in SPLITS:
        of_split = [photo for photo in photos if split_of[photo.annotated.image_paths[0]] == split]
        if of_split:
            pictures[split] = writing.plan_pictures(of_split, request.out_dir, split, exif, request.copy)
    every = [picture for of_split in pictures.values() for picture in of_split]
    if not every:
        raise InvalidDataError("; ".join([f"{request.source}: no image to import", *notes]), code="E-data-empty")
    vet_targets(every)
    rules, ids_of_shapes = None, {}
    if found.encoding == "shapes":
        counts = Counter(shape.label for photo in photos for shape in photo.annotated.shapes)
        ids_of_shapes = assign_train_ids(counts, classes, label_map)
        notes += [f"`label_map`: no shape has the label {label!r}" for label in label_map if label not in train_ids]
    else:
        rules = _rules(request, found, classes, train_ids, exif)
        notes += check_colors(every, rules, classes.origin, request.num_processes, on_progress)
    brush = writing.make_brush(classes, ids_of_shapes, background, rules)
    written_map = _written_map(train_ids, classes) if found.encoding == "ids" and not request.copy else None
    return SetPlan(request, found.title, classes, pictures, written_map, tuple(notes), exif, brush)


def _origin(request: SetRequest) -> writing.Origin:
    return writing.Origin.of(request.format, request.source, request.out_dir)


def _without_empty(photos: Sequence[Photo]) -> tuple[list[Photo], list[str]]:
    """Leave out images of which nothing could be learnt, because pixels without shape are ignored."""
    kept = [photo for photo in photos if photo.annotated.shapes]
    num_empty = len(photos) - len(kept)
    return kept, [f"left out: {num_empty} images without shapes"] if num_empty else []


def _rules(
    request: SetRequest, found: WholeSet, classes: Classes, train_ids: Mapping[Key, int], exif: str
) -> DatasetFile:
    """Return the rules for `masks.decode_mask`."""
    if request.snap is not None and found.encoding == "ids":
        raise InvalidInputError(f"`snap` is for coloured masks; those of {found.title} hold ids", code="E-input-value")
    return DatasetFile(
        path=request.source,
        root=Path(),
        splits={},
        encoding=found.encoding,
        classes=classes.names,
        palette=classes.colors,
        label_map={key: train_id for key, train_id in train_ids.items() if not isinstance(key, str)},
        exif=exif,
        snap=request.snap,
    )


def _written_map(train_ids: Mapping[Key, int], classes: Classes) -> dict[int, str]:
    """Return the `label_map` of a dataset.yaml: all values, or only the ignored ones if the others are positions."""
    names = {**dict(enumerate(classes.names)), IGNORED: IGNORE}
    are_positions = all(train_id in (key, IGNORED) for key, train_id in train_ids.items())
    return {
        key: names[train_id]
        for key, train_id in train_ids.items()
        if isinstance(key, int) and (key != train_id or not are_positions)
    }
