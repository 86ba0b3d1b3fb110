"""Files of the pictures: Cityscapes' layout for toycity, photographs and a custom set for rosario.

A picture depends on seed, set and number only, so any process can draw any of them. Files appear
complete or not at all.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from semseg.datasets.toycity.city import compose
from semseg.datasets.toycity.outline import Annotation, annotate
from semseg.datasets.toycity.paint import paint_scene
from semseg.datasets.toycity.style import STYLES
from semseg.errors import InvalidInputError
from semseg.labels import CITYSCAPES
from semseg.system.atomic import naming_disk_errors, sync_file

CITIES = {
    "train": ("altmoor", "brunnfeld", "dornhafen", "eschtal"),
    "val": ("kieselburg", "lindmark"),
    "test": ("mohnstedt", "nordquell"),
}
"""The invented cities of each split."""

STREETS = ("pellegrini", "bulevar_orono", "costanera")
PHOTO_SIZES = ((720, 480), (640, 360), (512, 384), (600, 400), (480, 640), (704, 396), (560, 420), (640, 480))
"""(width, height) of the photographs of rosario, in turn."""

LABELLED_SIZE = (512, 256)
MIN_SIZE = (128, 64)
"""(width, height); smaller pictures are too coarse to show anything."""

_LABELLED_SET = """\
root: .  # relative to this file
splits:
  test: {images: photos, masks: annotation}
image_suffix: .jpg
mask_suffix: _mask.png
encoding: ids  # the masks hold positions in the list of classes
classes: cityscapes
"""
_FRAME_NUMBER = 19  # Cityscapes annotates the 20th frame of every sequence
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 4]
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 92]


@dataclass(frozen=True)
class Picture:
    """One picture to draw, and its files."""

    style: str
    entropy: tuple[int, ...]  # of its random numbers
    width: int
    height: int
    image_path: Path
    label_ids_path: Path | None = None
    polygons_path: Path | None = None
    train_ids_path: Path | None = None


def plan_cityscapes(root: Path, counts: dict[str, int], size: tuple[int, int], seed: int) -> list[Picture]:
    """List the pictures of a data set in the layout of Cityscapes.

    Args:
        root: folder that gets leftImg8bit/ and gtFine/.
        counts: pictures per split, for "train", "val" and "test".
        size: (width, height) in pixels.
        seed: other seeds give other pictures; the pictures of a split do not depend on the other counts.

    Raises:
        ValueError: a count or the seed is negative, all counts are 0, or the size is too small.
    """
    _check(counts, seed)
    if size[0] < MIN_SIZE[0] or size[1] < MIN_SIZE[1]:
        raise InvalidInputError(
            f"`size` {size[0]}x{size[1]}: pictures are {MIN_SIZE[0]}x{MIN_SIZE[1]} or larger", code="E-input-range"
        )
    pictures = []
    for split, count in counts.items():
        cities = CITIES[split]
        for index in range(count):
            city = cities[index % len(cities)]
            stem = f"{city}_{index // len(cities):06d}_{_FRAME_NUMBER:06d}"
            annotated = root / "gtFine" / split / city
            pictures.append(
                Picture(
                    "toycity",
                    _entropy(seed, split, index),
                    *size,
                    image_path=root / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png",
                    label_ids_path=annotated / f"{stem}_gtFine_labelIds.png",
                    polygons_path=annotated / f"{stem}_gtFine_polygons.json",
                )
            )
    return pictures


def labelled_root(root: Path) -> Path:
    """Return the folder beside `root` that gets the labelled pictures of rosario."""
    return root.with_name(f"{root.name}_labelled")


def plan_rosario(root: Path, num_photos: int, num_labelled: int, seed: int) -> list[Picture]:
    """List the photographs of another city, and a small labelled set of other streets of it.

    Args:
        root: folder of the photographs, in a sub-folder per street; the labelled set goes beside it.
        num_photos: photographs without labels, JPEG, in mixed sizes.
        num_labelled: photos/ros_0001.jpg with train ids in annotation/ros_0001_mask.png.
        seed: other seeds give other pictures.

    Raises:
        ValueError: a count or the seed is negative, or all counts are 0.
    """
    _check({"photos": num_photos, "labelled": num_labelled}, seed)
    pictures = []
    for index in range(num_photos):
        path = root / STREETS[index % len(STREETS)] / f"IMG_{index + 1:04d}.jpg"
        size = PHOTO_SIZES[index % len(PHOTO_SIZES)]
        # two portraits among the default 24 are enough
        size = PHOTO_SIZES[0] if size[1] > size[0] and index % 24 > 12 else size
        pictures.append(Picture("rosario", _entropy(seed, "photos", index), *size, image_path=path))
    for index in range(num_labelled):
        stem = f"ros_{index + 1:04d}"
        pictures.append(
            Picture(
                "rosario",
                _entropy(seed, "labelled", index),
                *LABELLED_SIZE,
                image_path=labelled_root(root) / "photos" / f"{stem}.jpg",
                train_ids_path=labelled_root(root) / "annotation" / f"{stem}_mask.png",
            )
        )
    return pictures


def describe_labelled(root: Path) -> Path:
    """Write the dataset.yaml of the labelled set beside `root`, and return its path."""
    path = labelled_root(root) / "dataset.yaml"
    _replace(path, _LABELLED_SET.encode())
    return path


def render(picture: Picture) -> tuple[np.ndarray, Annotation]:
    """Draw a picture.

    Returns:
        RGB, uint8, shape (height, width, 3), and its annotation.
    """
    rng = np.random.default_rng(np.random.SeedSequence(picture.entropy))
    scene = compose(rng, STYLES[picture.style], picture.width, picture.height)
    annotation = annotate(scene)
    return paint_scene(scene, annotation, rng), annotation


def write_picture(picture: Picture) -> Path:
    """Draw a picture, write its files, and return the path of the image."""
    image, annotation = render(picture)
    if picture.polygons_path:
        polygons = {"imgHeight": picture.height, "imgWidth": picture.width, "objects": annotation.objects}
        _replace(picture.polygons_path, json.dumps(polygons, separators=(",", ":")).encode())
    if picture.label_ids_path:
        _replace(picture.label_ids_path, _encode(annotation.label_ids, ".png", _PNG))
    if picture.train_ids_path:
        train_ids = CITYSCAPES.to_train_ids(annotation.label_ids)
        _replace(picture.train_ids_path, _encode(train_ids, ".png", _PNG))
    suffix = picture.image_path.suffix
    image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _replace(picture.image_path, _encode(image, suffix, _PNG if suffix == ".png" else _JPEG))
    return picture.image_path


def write_all(pictures: Sequence[Picture], num_processes: int) -> Iterator[Path]:
    """Write pictures, replacing files of the same name, and yield each path when it is done.

    Args:
        pictures: of a plan.
        num_processes: that draw at the same time; the files do not depend on it.

    Raises:
        ValueError: fewer than one process.
        NotADirectoryError: the path of a folder is a file.
    """
    if num_processes < 1:
        raise InvalidInputError(f"`nproc` {num_processes}: expected 1 or more processes", code="E-input-range")
    for folder in {path.parent for picture in pictures for path in _paths(picture)}:
        _make_folder(folder)
    if num_processes == 1:
        yield from map(write_picture, pictures)
        return
    # spawn: a fork would copy the threads of the caller (a progress bar)
    workers = min(num_processes, max(1, len(pictures)))
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,))
    try:
        yield from pool.map(write_picture, pictures, chunksize=4)
    finally:
        pool.shutdown(cancel_futures=True)


def _paths(picture: Picture) -> list[Path]:
    paths = (picture.image_path, picture.label_ids_path, picture.polygons_path, picture.train_ids_path)
    return [path for path in paths if path is not None]


def _check(counts: dict[str, int], seed: int) -> None:
    for name, count in counts.items():
        if count < 0:
            raise InvalidInputError(f"`{name}` {count}: expected 0 or more pictures", code="E-input-range")
    if not any(counts.values()):
        names = ", ".join(f"`{name}`" for name in counts)
        raise InvalidInputError(f"nothing to draw: {names} are all 0", code="E-input-range")
    if seed < 0:
        raise InvalidInputError(f"`seed` {seed}: expected 0 or more", code="E-input-range")


def _entropy(seed: int, name: str, index: int) -> tuple[int, ...]:
    return seed, zlib.crc32(name.encode()), index


def _make_folder(folder: Path) -> None:
    for path in (folder, *folder.parents):
        if path.is_file():
            raise NotADirectoryError(f"{path} is a file; the pictures need a folder there")
    with naming_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


def _encode(image: np.ndarray, suffix: str, options: list[int]) -> bytes:
    is_encoded, data = cv2.imencode(suffix, image, options)
    assert is_encoded, suffix
    return data.tobytes()


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.part")  # a fixed name: the next run overwrites the rest of a killed one
    with naming_disk_errors(path):
        try:
            part.write_bytes(data)
            sync_file(part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
