"""Import a data set of Hugging Face from the disk: its image files as they are, and its masks as index PNGs."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from semseg.datasets.dataset_file import DatasetFile
from semseg.datasets.dataset_writing import list_name, write_pairs
from semseg.datasets.image_files import measure_image, stored_values
from semseg.datasets.importers import writing
from semseg.datasets.importers.class_lists import Classes, parse_map, read_classes
from semseg.datasets.importers.colors import judge_counts
from semseg.datasets.importers.huggingface import Row, SavedSet, read_saved_set
from semseg.datasets.importers.photos import suffix_of
from semseg.datasets.importers.shapes import Size
from semseg.datasets.importers.vetting import vet_output, vet_photos
from semseg.datasets.importers.whole_sets import Label, choose_classes
from semseg.datasets.index_png import write_index_png
from semseg.datasets.masks import census, decode_mask
from semseg.datasets.pairs import Pair
from semseg.errors import InvalidDataError, InvalidInputError
from semseg.system.atomic import atomic_path
from semseg.system.wording import listing
from semseg.system.worker_pool import run_all

_FORMAT = "huggingface"
_NUM_SHOWN = 8


@dataclass(frozen=True)
class SavedSetRequest:
    """What to import, and where to write it; `tools/dataset.py import huggingface --help` explains each."""

    source: Path
    out_dir: Path
    image_column: str | None = None
    label_column: str | None = None
    classes: str | None = None
    label_map: tuple[str, ...] = ()
    skip_broken: bool = False
    overwrite: bool = False
    num_processes: int = 1


@dataclass(frozen=True)
class SavedSetPlan:
    """A checked import.

    Attributes:
        found: the set.
        suffixes: of the image file of each row that is imported, such as `.jpg`, by split.
        notes: what was left out, for the user.
    """

    request: SavedSetRequest
    found: SavedSet
    classes: Classes
    suffixes: Mapping[str, Mapping[Row, str]]
    notes: tuple[str, ...]
    rules: DatasetFile = field(repr=False)

    def write(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Write images and masks, then the lists of pairs, then dataset.yaml."""
        out_dir = self.request.out_dir
        pairs = {
            split: {
                row: Pair(
                    out_dir / writing.IMAGE_FOLDER / split / f"{row.name}{suffix}",
                    out_dir / writing.MASK_FOLDER / split / f"{row.name}.png",
                )
                for row, suffix in of_split.items()
            }
            for split, of_split in self.suffixes.items()
        }
        items = [item for of_split in pairs.values() for item in of_split.items()]
        write = partial(_write_row, self.found, self.rules)
        run_all(write, items, self.request.num_processes, on_progress)
        for split, of_split in pairs.items():
            write_pairs(out_dir / list_name(split), of_split.values())
        origins = dict.fromkeys(pairs, _origin(self.request))
        writing.write_dataset_file(out_dir / "dataset.yaml", origins, self.classes, self.rules.exif)

    def describe(self) -> list[str]:
        """Return lines of text about the import."""
        counts = ", ".join(f"{split} {len(rows)}" for split, rows in self.suffixes.items())
        listed_classes = ", ".join(f"{train_id} {name}" for train_id, name in enumerate(self.classes.names))
        return [
            f"{self.request.out_dir / 'dataset.yaml'}: images of the column {self.found.image_column}, masks of"
            f" {self.found.mask_column}",
            f"images: {counts}",
            f"classes: {listed_classes}",
            *self.notes,
        ]


class _Facts(NamedTuple):
    """What a row holds; `suffix` is None if a cell is empty."""

    suffix: str | None
    stored: Size
    upright: Size
    mask_size: Size
    unknown: dict
    problem: str | None = None


def plan_saved_set(request: SavedSetRequest, on_progress: Callable[[int, int], None] | None = None) -> SavedSetPlan:
    """Read a set that `save_to_disk` wrote, and check all images and masks; nothing is written.

    Args:
        request: what to import.
        on_progress: called with the number of rows that were checked, and of all.

    Raises:
        FileNotFoundError: the folder is not such a set, or files are missing.
        ValueError: the columns or classes are not known, a mask holds a value that no class has, or the output folder
            holds another data set.
    """
    vet_output(request.out_dir, request.num_processes)
    writing.vet_origin(request.out_dir, _origin(request), request.overwrite)
    label_map = parse_map(request.label_map)
    found = read_saved_set(request.source, request.image_column, request.label_column)
    encoding = _find_encoding(found)
    labels = _list_labels(request, found, encoding)
    classes, train_ids, notes = choose_classes(labels, label_map, str(request.source), encoding)
    notes = [*found.notes, *notes]
    rules = DatasetFile(
        path=request.source,
        root=Path(),
        splits={},
        encoding=encoding,
        classes=classes.names,
        palette=classes.colors,
        label_map={key: train_id for key, train_id in train_ids.items() if not isinstance(key, str)},
    )
    rows = [(split, row) for split, of_split in found.splits.items() for row in of_split]
    inspect = partial(_inspect, found, rules)
    facts = run_all(inspect, [row for _, row in rows], request.num_processes, on_progress)
    kept: dict[str, dict[Row, str]] = {}
    empty, unfit, counts, turned = [], [], [], {}
    for (split, row), fact in zip(rows, facts, strict=True):
        if fact.problem:
            unfit.append(fact.problem)
        elif fact.suffix is None:
            empty.append(row)
        elif fact.mask_size not in (fact.stored, fact.upright):
            (width, height), (mask_width, mask_height) = fact.upright, fact.mask_size
            place = row.describe(found.mask_column)
            unfit.append(f"{place}: mask of {mask_width}x{mask_height}, its image {width}x{height}")
        else:
            kept.setdefault(split, {})[row] = fact.suffix
            counts.append((fact.unknown, 0))
            if fact.stored != fact.upright:
                turned.setdefault("ignore" if fact.mask_size == fact.stored else "apply", row)
    notes += vet_photos(len(rows), [], unfit, request.skip_broken, "replace them, or give")
    if empty:
        notes.append(
            f"left out: {len(empty)} rows without image or mask, first row {empty[0].index} of {empty[0].arrow_path}"
        )
    if len(turned) > 1:
        raise InvalidDataError(
            f"{request.source}: the mask of row {turned['apply'].index} follows the EXIF orientation of its image,"
            f" that of row {turned['ignore'].index} does not; import them separately",
            code="E-data-exif",
        )
    if not kept:
        raise InvalidDataError("; ".join([f"{request.source}: no image to import", *notes]), code="E-data-empty")
    notes += judge_counts(counts, rules, classes.origin)
    rules = replace(rules, exif=next(iter(turned), "apply"))
    return SavedSetPlan(request, found, classes, kept, tuple(notes), rules)


def _origin(request: SavedSetRequest) -> writing.Origin:
    return writing.Origin.of(_FORMAT, request.source, request.out_dir)


def _find_encoding(found: SavedSet) -> str:
    """Return the encoding of the first mask: `rgb` if it is coloured, else `ids`."""
    masks = (row.read_mask(found.mask_column) for rows in found.splits.values() for row in rows)
    first = next((mask for mask in masks if mask is not None), None)
    return "rgb" if first is not None and first.mode in ("RGB", "RGBA") else "ids"


def _list_labels(request: SavedSetRequest, found: SavedSet, encoding: str) -> list[Label]:
    """Return the labels of the class list that is given, or else of the features."""
    if request.classes is None and (encoding == "rgb" or not found.classes):
        raise InvalidInputError(
            f"{request.source} does not name the classes of its masks; give `classes`, a file with a name per line"
            f"{' and its colour' if encoding == 'rgb' else ''}; the first masks hold {_list_values(found, encoding)}",
            code="E-input-required",
        )
    if request.classes is None:
        names = [None if name == "ignore" else name for name in found.classes]
        return [Label(value, name) for value, name in enumerate(names)]
    classes = read_classes(request.classes)
    rows = zip(classes.names, classes.colors, strict=True)
    if encoding == "rgb":
        return [Label(color, name, color) for name, color in rows] + [Label(c, None) for c in classes.ignored_colors]
    return [Label(value, name, color) for value, (name, color) in enumerate(rows)]


def _list_values(found: SavedSet, encoding: str) -> str:
    """Return the most frequent values or colours of the first masks, for a message."""
    counts: Counter = Counter()
    for row in next(iter(found.splits.values()))[:_NUM_SHOWN]:
        if (mask := row.read_mask(found.mask_column)) is not None:
            image = mask.convert("RGB") if encoding == "rgb" else Image.fromarray(stored_values(mask))
            counts.update({value: px for px, value in image.getcolors(1 << 24) or ()})
    rows = (f"{'#' + bytes(v).hex() if isinstance(v, tuple) else v} ({px} px)" for v, px in counts.most_common())
    return listing(rows, _NUM_SHOWN)


def _inspect(found: SavedSet, rules: DatasetFile, row: Row) -> _Facts:
    """Measure the image and count the mask of a row."""
    content, mask = row.read_image(found.image_column), row.read_mask(found.mask_column)
    if content is None or mask is None:
        return _Facts(None, (0, 0), (0, 0), (0, 0), {})
    try:
        stored, upright = measure_image(io.BytesIO(content))
        suffix = suffix_of(content)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        problem = f"{row.describe(found.image_column)}, which is not a readable image"
        return _Facts(None, (0, 0), (0, 0), (0, 0), {}, problem)
    return _Facts(suffix, stored, upright, mask.size, census(mask, rules).unknown)


def _write_row(found: SavedSet, rules: DatasetFile, item: tuple[Row, Pair]) -> None:
    """Write the image file and the index PNG of a row."""
    row, (image_path, mask_path, _) = item
    content, mask = row.read_image(found.image_column), row.read_mask(found.mask_column)
    assert content is not None and mask is not None and mask_path is not None  # `_inspect` left the others out
    with atomic_path(image_path) as temporary:
        temporary.write_bytes(content)
    write_index_png(mask_path, decode_mask(mask, rules), rules.palette, compress_level=3)
