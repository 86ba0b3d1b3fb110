"""The package of an export: images, annotations in the format of a labelling tool, and classes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from semseg.datasets.dataset_file import DatasetFile
from semseg.datasets.dataset_keys import hex_color
from semseg.datasets.exporters import coco, cvat, label_studio, labelme
from semseg.datasets.exporters.items import Item
from semseg.datasets.importers.class_lists import Classes
from semseg.datasets.masks import decode_pair
from semseg.errors import InvalidInputError
from semseg.labels import IGNORED
from semseg.system.atomic import atomic_path, sync_folder
from semseg.system.folders import absolute_path
from semseg.system.result_names import check_inputs_stay
from semseg.system.worker_pool import run_in_order

CLASSES = "classes.yaml"
_UNFINISHED = ".unfinished"
"""Is in a package until it is complete: nobody has corrected anything in it."""
IMAGES = "images"
FORMATS: dict[str, tuple[Callable, Callable, str, str]] = {
    # name: encode, write, format of the import, and its source in the package
    "label-studio": (label_studio.encode, label_studio.write, "label-studio", "EXPORT.json"),
    "cvat-mask": (cvat.encode_masks, cvat.write, "cvat", "EXPORT/annotations.xml"),
    "cvat-polygon": (cvat.encode_polygons, cvat.write, "cvat", "EXPORT/annotations.xml"),
    "coco": (coco.encode, coco.write, "coco", "EXPORT.json"),
    "labelme-mask": (labelme.encode_masks, labelme.write, "labelme", ""),
    "labelme-polygon": (labelme.encode_polygons, labelme.write, "labelme", ""),
}


class Written(NamedTuple):
    """Statistics of an export.

    Attributes:
        files: the names of the files, for the user.
        num_regions: number of shapes.
        num_empty: number of images without a labelled pixel.
        labelled_share: share of the pixels that are not 255, 0 to 1.
    """

    files: tuple[str, ...]
    num_regions: int
    num_empty: int
    labelled_share: float


@dataclass(frozen=True)
class Package:
    """A checked export.

    Attributes:
        format: one of FORMATS.
        out_dir: folder of the package.
        items: images and masks, in the order of the package.
        classes: names and colours.
        images_dir: folder that the names of the images are relative to.
        copy: whether the images are copied to `images` in the package.
        notes: for the user.
    """

    format: str
    out_dir: Path
    items: tuple[Item, ...]
    classes: Classes
    images_dir: Path
    copy: bool
    num_processes: int
    notes: tuple[str, ...]
    rules: DatasetFile = field(repr=False)

    def write(self, on_progress: Callable[[int, int], None] | None = None) -> Written:
        """Write the annotations, the images if they are copied, and `classes.yaml`.

        Each file appears when it is complete. One image at a time is in memory, and a few in each process.

        Raises:
            FileNotFoundError, ValueError: a mask is missing or unreadable, or has values without a class.
        """
        about = json.dumps([self.format, [item.name for item in self.items]])
        marker = self.out_dir / _UNFINISHED
        if marker.is_file() and marker.read_text() != about:
            raise _used(self.out_dir)
        with atomic_path(marker) as temporary:
            temporary.write_text(about)
        written = self._write_files(on_progress)
        marker.unlink()
        sync_folder(self.out_dir)  # from now on there may be corrections
        return written

    def _write_files(self, on_progress: Callable[[int, int], None] | None) -> Written:
        encode, write, _, _ = FORMATS[self.format]
        images_dir = self.images_dir
        if self.copy:
            images_dir = self.out_dir / IMAGES
            check_inputs_stay(
                (images_dir / item.name for item in self.items), (item.image_path for item in self.items), "out_dir"
            )
        counts = _Counts()
        outcomes = run_in_order(partial(_encode, encode, self.rules), self.items, self.num_processes)
        encoded = counts.watch(outcomes, len(self.items), on_progress)
        files = write(self.out_dir, self.items, self.classes, images_dir, encoded)
        for item in self.items if self.copy else ():
            with atomic_path(images_dir / item.name) as temporary:
                shutil.copyfile(item.image_path, temporary)
        rows = [
            {"name": name, "color": hex_color(color)}
            for name, color in zip(self.classes.names, self.classes.colors, strict=True)
        ]
        with atomic_path(self.out_dir / CLASSES) as temporary:
            text = yaml.safe_dump(rows, sort_keys=False, allow_unicode=True, default_flow_style=None, width=1000)
            temporary.write_text(text, encoding="utf-8")
        files = (*files, CLASSES, *([f"{IMAGES}/"] if self.copy else []))
        return Written(files, counts.num_regions, counts.num_empty, counts.num_labelled / counts.num_px)

    def describe(self, written: Written) -> list[str]:
        """Return lines of text about what was exported, and the command that reads the corrections."""
        empty = f", {written.num_empty} of them without a labelled pixel" if written.num_empty else ""
        lines = [
            f"{self.out_dir}: {', '.join(written.files)}",
            f"{len(self.items)} images{empty}, {written.num_regions} shapes, "
            f"{written.labelled_share:.1%} of the pixels labelled",
            *self.notes,
        ]
        name, source = FORMATS[self.format][2:]
        images_dir = self.out_dir / IMAGES if self.copy else self.images_dir
        if name == "label-studio":
            lines.append(
                f"Label Studio finds the images with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
                f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={absolute_path(images_dir).parent}, and a local storage "
                f"{absolute_path(images_dir)}"
            )
        if name == "labelme":
            source, options = str(images_dir if self.copy else self.out_dir / "annotations"), ""
        else:
            options = f" --images {images_dir}"
        command = f"tools/dataset.py import {name} {source}{options} --classes {self.out_dir / CLASSES} --out DIR"
        return [*lines, f"to read the corrections: {command}"]


class _Counts:
    """Counts what passes by."""

    def __init__(self) -> None:
        self.num_regions = self.num_empty = self.num_labelled = self.num_px = 0

    def watch(
        self, outcomes: Generator, num_items: int, on_progress: Callable[[int, int], None] | None
    ) -> Generator[list, None, None]:
        try:
            for done, (regions, num_labelled, num_px) in enumerate(outcomes, 1):
                self.num_regions += len(regions)
                self.num_empty += not num_labelled
                self.num_labelled += num_labelled
                self.num_px += num_px
                yield regions
                if on_progress:
                    on_progress(done, num_items)
        finally:
            outcomes.close()  # ends the processes


def check_unused(out_dir: Path) -> None:
    """Raise an error if a folder holds anything: it may be corrections, and old files would be imported, too.

    An export that was interrupted can be repeated.

    Raises:
        ValueError: it does.
    """
    if out_dir.is_dir() and any(out_dir.iterdir()) and not (out_dir / _UNFINISHED).is_file():
        raise _used(out_dir)


def _used(out_dir: Path) -> InvalidInputError:
    return InvalidInputError(
        f"{out_dir} is not empty, and may hold corrections; give another `out_dir`, or move it away",
        code="E-input-used",
    )


def _encode(encode: Callable, rules: DatasetFile, item: Item) -> tuple[list[Any], int, int]:
    """Return the shapes of an image, and its number of labelled pixels and of all pixels."""
    train_ids = decode_pair(item.image_path, item.mask_path, item.roi_path, rules)
    return encode(train_ids), int(np.count_nonzero(train_ids != IGNORED)), train_ids.size
