"""Check a request to import a data set, and plan its classes, images and masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from semseg.datasets.dataset_file import DatasetFile
from semseg.datasets.dataset_keys import IGNORE, SPLITS
from semseg.datasets.importers import writing
from semseg.datasets.importers.class_choice import choose_classes
from semseg.datasets.importers.class_lists import (
    Classes,
    assign_train_ids,
    discover_classes,
    parse_map,
    read_classes,
)
from semseg.datasets.importers.class_masks import describe_overlaps
from semseg.datasets.importers.formats import FORMATS
from semseg.datasets.importers.parsed import BY_CLASS, Key, Parsed, Request
from semseg.datasets.importers.photos import Photo, find_photos
from semseg.datasets.importers.shapes import Polygons, require_pycocotools
from semseg.datasets.importers.stored_values import check_masks
from semseg.datasets.importers.vetting import vet_photos, vet_request, vet_shapes, vet_targets
from semseg.errors import InvalidDataError, InvalidInputError
from semseg.labels import IGNORED
from semseg.system.worker_pool import run_all


@dataclass(frozen=True)
class Plan:
    """A checked import.

    Attributes:
        found: what the reader of the format has found.
        pictures: the images and masks, sorted by split.
        notes: what was left out, replaced, clipped or unused, for the user.
        label_map: for dataset.yaml: stored values and their classes, if the masks stay where they are; None: they are
            written as index PNGs.
        siblings: the dataset.yaml with other splits, which are kept; None: there are none.
    """

    request: Request
    found: Parsed
    classes: Classes
    pictures: tuple[writing.Picture, ...]
    notes: tuple[str, ...]
    exif: str
    label_map: Mapping[int, str] | None
    brush: writing.Brush = field(repr=False)
    siblings: writing.Existing | None = field(repr=False)

    @property
    def dataset_path(self) -> Path:
        """The path of the dataset.yaml."""
        return self.request.out_dir / "dataset.yaml"

    @property
    def num_images(self) -> dict[str, int]:
        """The number of images of each split."""
        return dict(Counter(picture.split for picture in self.pictures))

    def list_classes(self) -> str:
        """Return the train ids and names of the classes as text."""
        return ", ".join(f"{train_id} {name}" for train_id, name in enumerate(self.classes.names))

    def write(self, on_progress: Callable[[int, int], None] | None = None) -> writing.Written:
        """Write the masks unless they stay where they are, then the lists of pairs, then dataset.yaml."""
        are_written = self.label_map is None
        counts: Sequence[writing.Count] = ()
        if are_written:
            write = partial(writing.write_picture, self.brush)
            counts = run_all(write, self.pictures, self.request.num_processes, on_progress)
        splits = writing.write_lists(self.request.out_dir, self.pictures, are_written)
        origins = dict.fromkeys(splits, writing.Origin.of(self.request))
        kept = self.siblings.origins if self.siblings else {}
        writing.write_dataset_file(self.dataset_path, kept | origins, self.classes, self.exif, self.label_map)
        return writing.Written.of(self.pictures, counts)

    def describe(self, written: writing.Written | None = None) -> list[str]:
        """Return lines of text about the import.

        Args:
            written: from `write`; None: without numbers of pixels.
        """
        if self.found.describe is not None:
            lines = self.found.describe(self, written)
        elif FORMATS[self.request.format].has_splits:
            where = "index PNGs in train_ids" if self.label_map is None else "masks and images stay where they are"
            counts = ", ".join(f"{split} {num_images}" for split, num_images in self.num_images.items())
            lines = [
                f"{self.dataset_path}: {self.found.headline or f'{self.found.title}; {where}'}",
                f"images: {counts}",
                f"classes: {self.list_classes()}",
            ]
        else:
            lines = self._describe_split(written)
        return [*lines, *self.notes]

    def _describe_split(self, written: writing.Written | None) -> list[str]:
        request, order = self.request, self.found.order
        num_shapes = sum(len(picture.shapes) for picture in self.pictures)
        shapes = f", {num_shapes} shapes" if order else ""
        lines = [
            f"{self.dataset_path}: split {request.split}, {len(self.pictures)} images{shapes}",
            f"classes ({self.classes.origin}): {self.list_classes()}",
        ]
        if order and written is not None:
            meaning = "ignored (255); `background` CLASS gives them a class"
            if request.background is not None:
                meaning = f"they are {request.background}"
            lines += [
                f"painted {order}, later shapes over earlier ones",
                f"unpainted pixels: {written.unpainted_share:.1%}, {meaning}",
            ]
            if order == BY_CLASS:
                lines.append(describe_overlaps(written.covered, written.num_px, self.classes.names))
        return lines


def plan(request: Request, on_progress: Callable[[int, int], None] | None = None) -> Plan:
    """Read annotations, images and classes, and check everything; nothing is written.

    Args:
        request: what to import.
        on_progress: called with the number of masks that were checked, and of all.

    Raises:
        FileNotFoundError: the source, images, or the class list are missing.
        ValueError: something in them cannot be imported, or the output folder holds another data set.
    """
    vet_request(request, FORMATS)
    read, has_splits = FORMATS[request.format]
    siblings = writing.find_siblings(request, has_splits)
    label_map = parse_map(request.label_map)
    classes = _read_given_classes(request, siblings)
    found = read(request, classes)
    if any(isinstance(shape, Polygons) for annotated in found.images for shape in annotated.shapes):
        require_pycocotools()
    notes, train_ids = list(found.notes), {}
    if found.labels is not None:
        classes, train_ids, class_notes = choose_classes(found, label_map)
        notes += class_notes
    background = request.background
    if found.background is not None:
        background = label_map.get(found.background, found.background)
        background = None if background == IGNORE else background

    photos, exif, photo_notes = _find_photos(request, found, siblings, has_splits)
    notes += photo_notes
    if found.encoding == "shapes" and background is None:
        kept = [photo for photo in photos if photo.annotated.shapes]
        if len(kept) < len(photos):
            remedy = "" if has_splits else "; `background` CLASS keeps them"
            notes.append(f"left out: {len(photos) - len(kept)} images without shapes{remedy}")
        photos = kept
    notes += [f"left out: {count} {kind} (no area)" for kind, count in found.left_out]
    if not photos:
        what = "annotations to import" if found.encoding == "shapes" else "a mask"
        raise InvalidDataError("; ".join([f"{request.source}: no image with {what}", *notes]), code="E-data-empty")

    shapes = [(shape, photo.size(exif)) for photo in photos for shape in photo.annotated.shapes]
    counts = Counter(shape.label for shape, _ in shapes)
    if classes is None:
        classes = discover_classes({**dict.fromkeys(found.declared, 0), **counts}, label_map)
    background_id = _background_id(background, classes)
    rules, ids_of_shapes = None, {}
    if found.encoding != "shapes":
        rules = _make_rules(request, found, classes, train_ids, exif)
    else:
        ids_of_shapes = assign_train_ids(counts, classes, label_map)
        if found.order == BY_CLASS:
            photos = [_sort_shapes(photo, ids_of_shapes) for photo in photos]
        num_clipped = sum(shape.sticks_out(size) for shape, size in shapes)
        notes += [f"clipped: {num_clipped} shapes that extend beyond their image"] if num_clipped else []
        notes += _describe_unused(found, classes, {*ids_of_shapes.values(), background_id}, label_map, counts)
    pictures = writing.plan_pictures(photos, request, exif)
    vet_targets(pictures)
    if rules is not None:
        notes += check_masks(pictures, rules, classes.origin, request.num_processes, on_progress)
    stay = found.is_readable_in_place and not request.copy
    stored = _written_map(rules.label_map, classes) if stay and rules is not None else None
    brush = writing.Brush(ids_of_shapes, background_id, classes.colors, rules)
    return Plan(request, found, classes, pictures, tuple(notes), exif, stored, brush, siblings)


def _read_given_classes(request: Request, siblings: writing.Existing | None) -> Classes | None:
    """Return the requested classes, or else those of the other splits; None: they follow from the source."""
    shared = None
    if siblings:
        shared = Classes(siblings.file.classes, siblings.file.palette, str(siblings.file.path))
    given = read_classes(request.classes) if request.classes else shared
    if shared and given and given.names != shared.names:
        raise InvalidDataError(
            f"{given.origin} and {shared.origin} have different classes, or in a different order; "
            "all splits of a set have the same classes: leave out `classes`, or give another `out_dir`",
            code="E-data-classes",
        )
    return given


def _find_photos(
    request: Request, found: Parsed, siblings: writing.Existing | None, has_splits: bool
) -> tuple[list[Photo], str, list[str]]:
    """Return the photographs with shapes that can be drawn, by split; `exif` of the set; and notes."""
    album = find_photos(found.images)
    missing = [*album.missing, *found.missing]
    num_images = len(found.images) + len(found.missing) + found.num_skipped
    notes = vet_photos(num_images, missing, album.unfit, request.skip_broken, not has_splits)
    # an image without a path of its own is always embedded, which is nothing to note
    num_embedded = sum(bool(photo.embedded and photo.annotated.image_paths) for photo in album.photos)
    if num_embedded:
        folder = request.out_dir / writing.IMAGE_FOLDER / request.split
        notes.append(f"images that were only in their JSON files (imageData): {num_embedded}, written to {folder}")
    exif = album.exif or (siblings.file.exif if siblings else "apply")
    if siblings and exif != siblings.file.exif:
        raise InvalidDataError(
            f"{siblings.file.path} has exif: {siblings.file.exif}, but these annotations follow "
            f"exif: {exif}; give another `out_dir`",
            code="E-data-exif",
        )
    photos, notes_on_shapes = vet_shapes(album.photos, exif, request.skip_broken)
    if has_splits:
        photos.sort(key=lambda photo: SPLITS.index(photo.annotated.split or request.split))
    else:
        photos.sort(key=lambda photo: photo.annotated.name)
    return photos, exif, notes + notes_on_shapes


def _make_rules(
    request: Request, found: Parsed, classes: Classes, train_ids: Mapping[Key, int], exif: str
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


def _sort_shapes(photo: Photo, train_ids: Mapping[str, int]) -> Photo:
    """Sort the shapes of an image by class, ignored ones last."""
    shapes = sorted(photo.annotated.shapes, key=lambda shape: train_ids[shape.label])
    return photo._replace(annotated=replace(photo.annotated, shapes=tuple(shapes)))


def _describe_unused(
    found: Parsed, classes: Classes, used: set[int], label_map: Mapping[str, str], counts: Mapping[str, int]
) -> list[str]:
    """Return notes about labels of the map that no shape has, and about classes, unless the set itself lists them."""
    known = {*counts, *found.declared, *(label.key for label in found.labels or ())}
    notes = [f"`label_map`: no shape has the label {label!r}" for label in label_map if label not in known]
    absent = [name for train_id, name in enumerate(classes.names) if train_id not in used]
    return notes + ([f"no shape in this split: {', '.join(absent)}"] if absent and found.labels is None else [])


def _background_id(name: str | None, classes: Classes) -> int:
    if name is None:
        return IGNORED
    train_id = classes.train_id(name)
    if train_id is None:
        raise InvalidInputError(
            f"`background` {name} is not a class; expected one of {', '.join(classes.names)}", code="E-input-value"
        )
    return train_id


def _written_map(stored: Mapping, classes: Classes) -> dict[int, str]:
    """Return the `label_map` of a dataset.yaml: all values, or only the ignored ones if the others are positions."""
    names = {**dict(enumerate(classes.names)), IGNORED: IGNORE}
    are_positions = all(train_id in (key, IGNORED) for key, train_id in stored.items())
    return {key: names[train_id] for key, train_id in stored.items() if key != train_id or not are_positions}
