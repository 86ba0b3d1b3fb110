"""Import published sets of two classes with a fixed layout: all splits at once, as index PNGs and a dataset.yaml."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from semseg.datasets.dataset_keys import SPLITS
from semseg.datasets.dataset_writing import list_name, write_pairs
from semseg.datasets.image_files import measure_image
from semseg.datasets.importers import writing
from semseg.datasets.importers.class_lists import Classes
from semseg.datasets.importers.vetting import vet_output
from semseg.datasets.index_png import write_index_png
from semseg.datasets.pairs import Pair
from semseg.datasets.roi import read_roi
from semseg.errors import InvalidDataError, InvalidInputError
from semseg.system.atomic import atomic_path
from semseg.system.wording import listing
from semseg.system.worker_pool import run_all

_ROI_FOLDER = "roi"
_BLACK_AND_WHITE = ((0, 0, 0), (255, 255, 255))
_NUM_SHOWN = 4


class Frame(NamedTuple):
    """A photograph with its truth, and its region of interest if the set has one."""

    split: str
    name: str
    image_path: Path
    truth_path: Path
    roi_path: Path | None = None


@dataclass(frozen=True)
class PublishedSet:
    """What was found in the folder of a published set.

    Attributes:
        format: its name in dataset.yaml.
        classes: names and colours.
        frames: all pictures that are imported.
        read_truth: returns the train ids of a truth: uint8, shape (height, width).
        notes: how the set was divided, and what was left out, one sentence each.
    """

    format: str
    classes: Classes
    frames: tuple[Frame, ...]
    read_truth: Callable[[Path], np.ndarray] = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SetRequest:
    """What to import, and where to write it; `tools/dataset.py import drive --help` explains each."""

    source: Path
    out_dir: Path
    copy: bool = False
    overwrite: bool = False
    num_processes: int = 1


@dataclass(frozen=True)
class SetPlan:
    """A checked import.

    Attributes:
        pixels: number of pixels of each class inside the regions of interest, by split.
    """

    request: SetRequest
    found: PublishedSet
    pixels: dict[str, np.ndarray]

    def write(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Write masks and regions of interest, then the lists of pairs, then dataset.yaml."""
        out_dir, frames = self.request.out_dir, self.found.frames
        write_one = partial(_write, self.found, out_dir, self.request.copy)
        pairs = run_all(write_one, frames, self.request.num_processes, on_progress)
        for split in self.pixels:
            of_split = [pair for frame, pair in zip(frames, pairs, strict=True) if frame.split == split]
            write_pairs(out_dir / list_name(split), of_split)
        origins = dict.fromkeys(self.pixels, _origin(self.request, self.found))
        writing.write_dataset_file(out_dir / "dataset.yaml", origins, self.found.classes, "apply")

    def describe(self) -> list[str]:
        """Return lines of text about the import."""
        names = self.found.classes.names
        lines = [f"{self.request.out_dir / 'dataset.yaml'}: classes 0 {names[0]}, 1 {names[1]}"]
        for split, pixels in self.pixels.items():
            num_images = sum(frame.split == split for frame in self.found.frames)
            lines.append(f"{split}: {num_images} images, {pixels[1] / max(1, pixels.sum()):.2%} {names[1]}")
        if any(frame.roi_path for frame in self.found.frames):
            lines.append("only pixels inside the fields of view count; those outside are ignored (255)")
        return [*lines, *self.found.notes]


def plan_set(request: SetRequest, read_source: Callable[[Path], PublishedSet]) -> SetPlan:
    """Read a published set and check all its pictures; nothing is written.

    Args:
        request: source and output folder.
        read_source: finds the pictures of the set, such as `drive.read_drive`.

    Raises:
        FileNotFoundError: files are missing.
        ValueError: a picture or truth is wrong, or the output folder holds another data set.
    """
    vet_output(request.out_dir, request.num_processes)
    found = read_source(request.source)
    _check_target(request, found)
    counts = run_all(partial(_check, found.read_truth), found.frames, request.num_processes)
    pixels = {split: np.zeros(2, np.int64) for split in SPLITS if any(frame.split == split for frame in found.frames)}
    for frame, count in zip(found.frames, counts, strict=True):
        pixels[frame.split] += count
    return SetPlan(request, found, pixels)


def _origin(request: SetRequest, found: PublishedSet) -> writing.Origin:
    return writing.Origin.of(found.format, request.source, request.out_dir)


def _check_target(request: SetRequest, found: PublishedSet) -> None:
    """Raise an error if the output folder holds another data set, or the source."""
    existing = writing.read_existing(request.out_dir, request.overwrite)
    others = [origin for origin in (existing.origins.values() if existing else ()) if origin != _origin(request, found)]
    if existing and others:
        raise InvalidInputError(
            f"{existing.file.path} has splits from {others[0].format} {others[0].source}; give another `out_dir`, or "
            "`overwrite` to replace it",
            code="E-input-used",
        )
    if request.out_dir.exists() and request.out_dir.samefile(request.source):
        raise InvalidInputError(
            f"`out_dir` {request.out_dir} is the folder that is imported; give another one", code="E-input-used"
        )


def _check(read_truth: Callable[[Path], np.ndarray], frame: Frame) -> np.ndarray:
    """Return the pixels of each class, int64, shape (2,), after comparing the sizes of the files of a picture."""
    try:
        _, size = measure_image(frame.image_path)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InvalidDataError(
            f"{frame.image_path} is not a readable image ({error})", code="E-data-unreadable"
        ) from error
    train_ids = read_truth(frame.truth_path)
    inside = np.ones_like(train_ids, bool) if frame.roi_path is None else read_roi(frame.roi_path)
    for path, pixels in ((frame.truth_path, train_ids), (frame.roi_path, inside)):
        if pixels.shape[::-1] != size:
            raise InvalidDataError(
                f"{path} is {pixels.shape[1]}x{pixels.shape[0]}, its image {frame.image_path} is {size[0]}x{size[1]}",
                code="E-data-size",
            )
    return np.bincount(train_ids[inside], minlength=2)


def _write(found: PublishedSet, out_dir: Path, copy: bool, frame: Frame) -> Pair:
    """Write the mask of a picture and its region of interest, and copy the photograph; return their paths."""
    mask_path = out_dir / writing.MASK_FOLDER / frame.split / f"{frame.name}.png"
    write_index_png(mask_path, found.read_truth(frame.truth_path), found.classes.colors, 3)
    roi_path = None
    if frame.roi_path is not None:
        roi_path = out_dir / _ROI_FOLDER / frame.split / f"{frame.name}.png"
        write_index_png(roi_path, read_roi(frame.roi_path).astype(np.uint8), _BLACK_AND_WHITE, 3)
    if not copy:
        return Pair(frame.image_path, mask_path, roi_path)
    copy_path = out_dir / writing.IMAGE_FOLDER / frame.split / f"{frame.name}{frame.image_path.suffix}"
    with atomic_path(copy_path) as temporary:
        shutil.copyfile(frame.image_path, temporary)
    return Pair(copy_path, mask_path, roi_path)


def describe_left_out(paths: Sequence[Path]) -> list[str]:
    """Return a note about photographs without truth; empty if there are none."""
    if not paths:
        return []
    return [f"left out: {len(paths)} photographs without truth ({listing((p.name for p in paths), _NUM_SHOWN)})"]
