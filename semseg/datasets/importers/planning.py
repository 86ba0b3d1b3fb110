"""Check a request to import annotations, and plan its classes, images and masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from semseg.datasets.dataset_keys import SPLITS
from semseg.datasets.importers import class_masks, coco, colors, cvat, label_studio, labelme, writing
from semseg.datasets.importers.class_lists import (
    Classes,
    assign_train_ids,
    discover_classes,
    parse_map,
    read_classes,
)
from semseg.datasets.importers.photos import Photo, find_photos
from semseg.datasets.importers.shapes import Parsed, Polygons, require_pycocotools
from semseg.datasets.importers.vetting import vet_output, vet_photos, vet_places, vet_shapes, vet_targets
from semseg.errors import InvalidDataError, InvalidInputError, MissingDataError
from semseg.labels import IGNORED
from semseg.system.worker_pool import run_all

_ORDERS = {
    "labelme": "in file order",
    "coco": "crowds first, then larger areas before smaller ones",
    "cvat": "by z_order, then in file order",
    "label-studio": "in file order",
    "colors": None,
    "class-masks": "in the order of the classes",
}


@dataclass(frozen=True)
class Request:
    """What to import, from where, and where to write it; `tools/dataset.py import FORMAT --help` explains each."""

    format: str  # labelme, label-studio, coco, cvat, colors, class-masks
    source: Path
    out_dir: Path
    split: str = "train"
    images_dir: Path | None = None
    classes: str | None = None
    label_map: tuple[str, ...] = ()
    background: str | None = None
    order: str = "area"  # coco: area or file
    line_width_px: int | None = None
    mask_suffix: tuple[str, ...] = ()
    image_suffix: tuple[str, ...] = ()
    snap: float | None = None
    threshold: int | None = None  # class-masks: brightness from which a pixel belongs to the class
    skip_broken: bool = False
    copy: bool = False
    overwrite: bool = False
    num_processes: int = 1


@dataclass(frozen=True)
class Plan:
    """A checked import.

    Attributes:
        pictures: the masks to write.
        num_shapes: number of shapes on them.
        notes: what was left out, clipped or unused, for the user.
    """

    request: Request
    classes: Classes
    pictures: tuple[writing.Picture, ...]
    num_shapes: int
    notes: tuple[str, ...]
    exif: str
    brush: writing.Brush = field(repr=False)
    existing: writing.Existing | None = field(repr=False)

    def write(self, on_progress: Callable[[int, int], None] | None = None) -> writing.Written:
        """Write the masks, then the list of pairs, then dataset.yaml."""
        split, out_dir = self.request.split, self.request.out_dir
        paint = partial(writing.write_picture, self.brush)
        counts = run_all(paint, self.pictures, self.request.num_processes, on_progress)
        writing.write_list(out_dir, split, self.pictures)
        origins = {**(self.existing.origins if self.existing else {}), split: _origin(self.request)}
        writing.write_dataset_file(out_dir / "dataset.yaml", origins, self.classes, self.exif)
        num_px = sum(count.all_px for count in counts)
        covered = sum((count.covered for count in counts), Counter())
        return writing.Written(sum(count.unpainted_px for count in counts) / num_px, covered, num_px)

    def describe(self, written: writing.Written) -> list[str]:
        """Return lines of text about what was imported; `written` comes from `write`."""
        request, classes = self.request, self.classes
        order = _ORDERS["labelme" if request.order == "file" else request.format]
        listed_classes = ", ".join(f"{train_id} {name}" for train_id, name in enumerate(classes.names))
        shapes = f", {self.num_shapes} shapes" if order else ""
        lines = [
            f"{request.out_dir / 'dataset.yaml'}: split {request.split}, {len(self.pictures)} images{shapes}",
            f"classes ({classes.origin}): {listed_classes}",
        ]
        if order:
            meaning = "ignored (255); `background` CLASS gives them a class"
            if request.background is not None:
                meaning = f"they are {request.background}"
            lines += [
                f"painted {order}, later shapes over earlier ones",
                f"unpainted pixels: {written.unpainted_share:.1%}, {meaning}",
            ]
        if request.format == "class-masks":
            lines.append(class_masks.describe_overlaps(written.covered, written.num_px, classes.names))
        return lines + list(self.notes)


def plan(request: Request) -> Plan:
    """Read annotations, images and classes, and check everything; nothing is written.

    Raises:
        FileNotFoundError: the source, images, or the class list are missing.
        ValueError: something in them cannot be imported, or the output folder holds another data set.
    """
    if request.split not in SPLITS:
        raise InvalidInputError(f"`split`: expected {', '.join(SPLITS)}, got {request.split!r}", code="E-input-value")
    vet_output(request.out_dir, request.num_processes)
    existing, siblings = _read_target(request)
    label_map = parse_map(request.label_map)
    classes = _choose_classes(request, siblings)
    described = None
    if request.format == "colors":
        assert classes is not None  # `_choose_classes` requires them
        described = colors.describe_colors(classes, label_map, request.snap, request.source)

    parsed, lone_masks = _parse(request)
    album = find_photos(parsed.images)
    if request.format == "class-masks":
        notes = vet_places(parsed.images, lone_masks, request.skip_broken)
        lone_masks = []
    else:
        notes = []
    missing = [*album.missing, *(f"that of {path}" for path in lone_masks)]
    num_images = len(parsed.images) + len(lone_masks)
    notes += vet_photos(num_images, missing, album.unfit, request.skip_broken)
    num_embedded = sum(photo.is_embedded for photo in album.photos)
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
    is_masks = request.format == "class-masks"
    photos, notes_on_shapes = vet_shapes(album.photos, exif, request.skip_broken)
    photos, notes_on_empty = _without_empty(request, photos)
    notes += notes_on_shapes + notes_on_empty
    notes += [f"left out: {count} {kind} (no area)" for kind, count in parsed.left_out]
    notes += parsed.notes
    if not photos:
        raise InvalidDataError(
            "; ".join([f"{request.source}: no image with annotations to import", *notes]), code="E-data-empty"
        )

    shapes = [(shape, photo.size(exif)) for photo in photos for shape in photo.annotated.shapes]
    counts = Counter(shape.label for shape, _ in shapes)
    # masks of one class: with one class only, the background is the second one, and has no masks
    declared = [*parsed.declared, *([request.background] if is_masks and request.background else [])]
    classes = classes or discover_classes({**dict.fromkeys(declared, 0), **counts}, label_map)
    train_ids = {} if described else assign_train_ids(counts, classes, label_map)
    if is_masks:
        photos = [_sort_masks(photo, train_ids) for photo in photos]
    background = _background_id(request.background, classes)
    num_clipped = sum(shape.sticks_out(size) for shape, size in shapes)
    notes += [f"clipped: {num_clipped} shapes that extend beyond their image"] if num_clipped else []
    photos = sorted(photos, key=lambda photo: photo.annotated.name)
    pictures = writing.plan_pictures(photos, request.out_dir, request.split, exif, request.copy)
    vet_targets(pictures)
    if described:
        notes += colors.check_colors(pictures, described, classes.origin, request.num_processes)
    else:
        notes += _describe_unused(classes, {*train_ids.values(), background}, label_map, {*counts, *declared})
    brush = writing.make_brush(classes, train_ids, background, described)
    return Plan(request, classes, pictures, len(shapes), tuple(notes), exif, brush, existing)


def _read_target(request: Request) -> tuple[writing.Existing | None, writing.Existing | None]:
    """Return the dataset.yaml of the output folder; and again if it has other splits than the requested one."""
    existing = writing.read_existing(request.out_dir, request.overwrite)
    if existing is None:
        return None, None
    origin = existing.origins.get(request.split)
    if origin is not None and origin != _origin(request) and not request.overwrite:
        raise InvalidInputError(
            f"{existing.file.path} has a split {request.split} from {origin.format} {origin.source}; "
            "give another `split` or `out_dir`, or `overwrite` to replace it",
            code="E-input-used",
        )
    has_others = any(name != request.split for name in existing.origins)
    return existing, existing if has_others else None


def _origin(request: Request) -> writing.Origin:
    return writing.Origin.of(request.format, request.source, request.out_dir)


def _choose_classes(request: Request, siblings: writing.Existing | None) -> Classes | None:
    """Return the requested classes, or else those of the other splits; None: they follow from the labels."""
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
    if given is None and request.format == "colors":
        listed_colors = colors.list_colors(request.source, request.mask_suffix)
        raise InvalidInputError(
            f"coloured masks need `classes`, a file with lines such as 'road #804080'; {request.source} holds"
            f" {listed_colors}",
            code="E-input-required",
        )
    return given


def _parse(request: Request) -> tuple[Parsed, list[Path]]:
    source, images_dir = request.source, request.images_dir
    if images_dir is not None and not images_dir.is_dir():
        raise MissingDataError(f"no folder {images_dir} with images; give another `images_dir`", code="E-data-missing")
    if request.format == "colors":
        return colors.parse(source, images_dir, request.mask_suffix, request.image_suffix)
    if request.format == "class-masks":
        return class_masks.parse(source, images_dir, request.mask_suffix, request.image_suffix, request.threshold)
    if request.format == "labelme":
        return labelme.parse(source, images_dir, request.line_width_px), []
    if request.format == "label-studio":
        parsed = label_studio.parse(source, images_dir)
    elif request.format == "coco":
        parsed = coco.parse(source, images_dir, request.order)
    else:
        parsed = cvat.parse(source, images_dir, request.line_width_px)
    if any(isinstance(shape, Polygons) for annotated in parsed.images for shape in annotated.shapes):
        require_pycocotools()
    return parsed, []


def _without_empty(request: Request, photos: Sequence[Photo]) -> tuple[list[Photo], list[str]]:
    """Leave out images without shapes, unless `background` gives their pixels a class."""
    if request.format == "colors" or request.background is not None:
        return list(photos), []
    kept = [photo for photo in photos if photo.annotated.shapes]
    num_empty = len(photos) - len(kept)
    note = f"left out: {num_empty} images without shapes; `background` CLASS keeps them"
    return kept, [note] if num_empty else []


def _sort_masks(photo: Photo, train_ids: Mapping[str, int]) -> Photo:
    """Sort the masks of an image by class, ignored ones last."""
    shapes = sorted(photo.annotated.shapes, key=lambda shape: train_ids[shape.label])
    return photo._replace(annotated=replace(photo.annotated, shapes=tuple(shapes)))


def _describe_unused(classes: Classes, used: set[int], label_map: dict, known_labels: set) -> list[str]:
    """Return notes about classes and labels of the map that no shape has."""
    notes = [f"`label_map`: no shape has the label {label!r}" for label in label_map if label not in known_labels]
    absent = [name for train_id, name in enumerate(classes.names) if train_id not in used]
    return notes + ([f"no shape in this split: {', '.join(absent)}"] if absent else [])


def _background_id(name: str | None, classes: Classes) -> int:
    if name is None:
        return IGNORED
    train_id = classes.train_id(name)
    if train_id is None:
        raise InvalidInputError(
            f"`background` {name} is not a class; expected one of {', '.join(classes.names)}", code="E-input-value"
        )
    return train_id
