"""Read polygons of YOLO in the format of Ultralytics: a data.yaml, and for each image a text file beside it.

A line of a text file is `class x1 y1 x2 y2 ...`, from 0 to 1 of width and height. The polygons are filled as in a
training with Ultralytics (`polygon2mask`: OpenCV, coordinates cut to whole pixels), larger ones first, so that smaller
ones stay visible. Pixels without polygon are background; so is a whole image without text file. Nothing in data.yaml
is downloaded or executed.

Sources: docs.ultralytics.com/datasets/segment; ultralytics/data/utils.py (`img2label_paths`, `polygon2mask`,
`polygons2masks_overlap`, `check_det_dataset`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from semseg.datasets.importers.layouts import missing_layout
from semseg.datasets.importers.parsed import Annotated, Label, Parsed
from semseg.datasets.importers.shapes import Points, Size
from semseg.errors import InvalidDataError, MissingDataError
from semseg.system.folders import TRAINING_SUFFIXES, walk_files
from semseg.system.path_lists import read_list_text, read_path_list, resolve_listed_path
from semseg.system.wording import listing

_TITLE = "a YOLO set"
_BACKGROUND = "background"
_KEYS = {"train": ("train",), "val": ("val", "validation", "valid"), "test": ("test",)}
_TOLERANCE = 0.01  # Ultralytics refuses coordinates that are farther outside


@dataclass(frozen=True)
class RelativePolygon:
    """A polygon with coordinates relative to the size of the image."""

    label: str
    points: Points

    def problem(self, size: Size) -> str | None:
        if len(self.points) == 2:
            return "a box, which does not tell the pixels of its object; segmentation needs polygons"
        if len(self.points) < 3:
            return f"polygon of {len(self.points)} points; expected 3 or more"
        for x, y in self.points:
            if not all(-_TOLERANCE <= value <= 1 + _TOLERANCE for value in (x, y)):  # also for NaN
                return f"point ({x:g}, {y:g}); expected 0 to 1, relative to the size of the image"
        return None

    def sticks_out(self, size: Size) -> bool:
        return any(not 0 <= value <= 1 for point in self.points for value in point)

    def mask(self, size: Size) -> np.ndarray:
        mask = np.zeros(size[::-1], np.uint8)
        cv2.fillPoly(mask, [(np.array(self.points) * size).astype(np.int32)], 1)
        return mask.view(bool)


def read_yolo(source: Path) -> Parsed:
    """Read data.yaml, and the images and polygons of all its splits.

    Args:
        source: the data.yaml, or its folder.

    Raises:
        FileNotFoundError: there is no data.yaml, or a folder or list that it names is missing.
        ValueError: data.yaml has no names or no splits, or a text file has another format.
    """
    path, content = _read_yaml(source)
    names = _read_names(path, content.get("names"))
    annotated, notes = [], []
    num_unlabelled = 0
    for split, keys in _KEYS.items():
        places = next((content[key] for key in keys if content.get(key)), None)
        if places is None:
            continue
        images: dict[Path, str] = {}
        places = places if isinstance(places, list) else [places]
        for place in places:
            images |= _list_images(path, content, split, str(place), len(places) > 1)
        for image_path, name in images.items():
            label_path = _label_path(image_path)
            num_unlabelled += not label_path.is_file()
            shapes = _read_polygons(label_path, names) if label_path.is_file() else ()
            annotated.append(Annotated(name, (image_path,), None, shapes, split=split))
        if not images:
            raise InvalidDataError(f"{path}: no image in {split}: {listing(places)}", code="E-data-empty")
    if not annotated:
        raise InvalidDataError(f"{path}: expected train, val or test, with a folder of images", code="E-data-yaml")
    if num_unlabelled:
        notes.append(f"images without text file, which are only {_BACKGROUND}: {num_unlabelled}")
    labels = [Label(name, name) for name in names.values()]
    if _BACKGROUND not in names.values():
        labels.insert(0, Label(_BACKGROUND, _BACKGROUND, (0, 0, 0)))
    notes.append("painted: larger polygons first, smaller ones over them")
    return Parsed(
        tuple(annotated),
        labels=tuple(labels),
        notes=tuple(notes),
        title=f"YOLO polygons of {path}",
        background=_BACKGROUND,
    )


def _read_yaml(source: Path) -> tuple[Path, dict[str, Any]]:
    """Return the file that describes the set, and its content."""
    if source.is_dir():
        paths = sorted(path for path in source.iterdir() if path.suffix in (".yaml", ".yml"))
        named = [path for path in paths if path.stem == "data"]
        paths = named or paths
        if len(paths) > 1:
            raise InvalidDataError(
                f"{source} has several YAML files ({listing(path.name for path in paths)}); give one of them as SOURCE",
                code="E-data-yaml",
            )
    else:
        paths = [source] if source.is_file() else []
    if not paths:
        raise missing_layout(source, _TITLE, ["data.yaml with names and the folders of train and val"])
    try:
        content = yaml.safe_load(read_list_text(paths[0]))
    except yaml.YAMLError as error:
        raise InvalidDataError(f"{paths[0]} is not YAML: {error}".replace("\n", " "), code="E-data-yaml") from None
    if not isinstance(content, dict) or not content.get("names"):
        raise InvalidDataError(
            f"{paths[0]}: no names in it; expected such as names: [road, car], train: images/train, val: images/val",
            code="E-data-yaml",
        )
    return paths[0], content


def _read_names(path: Path, names: Any) -> dict[int, str]:
    """Return the name of each class id."""
    rows = dict(enumerate(names)) if isinstance(names, list) else names
    try:
        by_id = {int(number): str(name).strip() for number, name in rows.items()}
    except (AttributeError, TypeError, ValueError):
        by_id = {}
    if not by_id or not all(by_id.values()) or len(set(by_id.values())) < len(by_id):
        raise InvalidDataError(
            f"{path}: names: expected a list of different names, or {{0: road, 1: car}}", code="E-data-yaml"
        )
    return dict(sorted(by_id.items()))


def _list_images(path: Path, content: dict, split: str, place: str, has_several: bool) -> dict[Path, str]:
    """Return the images of a folder or list that data.yaml names, each with the name of its mask."""
    found = _find_place(path, content, place)
    if found is None:
        raise MissingDataError(
            f"{path}: {split}: no folder or list {place}; correct it there, or path, which it is relative to",
            code="E-data-missing",
        )
    prefix = f"{found.stem}/" if has_several else ""
    if found.is_dir():
        paths = [path for path in walk_files(found) if path.suffix.lower() in TRAINING_SUFFIXES]
        return {path: f"{prefix}{path.relative_to(found).with_suffix('').as_posix()}" for path in sorted(paths)}
    paths = [resolve_listed_path(line, found.parent) for _, line in read_path_list(found)]
    return {path: f"{prefix}{_after_images(path).with_suffix('').as_posix()}" for path in paths}


def _find_place(path: Path, content: dict, place: str) -> Path | None:
    """Return the folder or list, where Ultralytics would look, or beside data.yaml if the set was moved."""
    texts = [place, place.removeprefix("../")]  # Roboflow writes ../train/images for train/images
    bases = [path.parent / str(content.get("path") or ""), path.parent]
    candidates = (base / text for base in bases for text in texts)
    return next((candidate for candidate in candidates if candidate.exists()), None)


def _label_path(image_path: Path) -> Path:
    """Return the text file of an image: the last folder `images` of its path becomes `labels`."""
    parts = list(image_path.parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _after_images(path: Path) -> Path:
    """Return the part of a path below its last folder `images`; the name of the file if there is none."""
    folders = path.parts[:-1]
    if "images" not in folders:
        return Path(path.name)
    return Path(*path.parts[len(folders) - folders[::-1].index("images") :])


def _read_polygons(path: Path, names: dict[int, str]) -> tuple[RelativePolygon, ...]:
    """Read a text file; a class id without name becomes the label of its polygons, which no class has."""
    polygons = []
    for number, line in enumerate(read_list_text(path).splitlines(), 1):
        if not line.strip():
            continue
        first, *rest = line.split()
        try:
            class_id = int(float(first))
            values = [float(word) for word in rest]
            points = tuple(zip(values[::2], values[1::2], strict=True))
        except (OverflowError, ValueError):
            raise InvalidDataError(
                f"{path} line {number}: expected class x1 y1 x2 y2 ..., found {line.strip()[:60]!r}",
                code="E-data-annotation",
            ) from None
        polygons.append(RelativePolygon(names.get(class_id, str(class_id)), points))
    return tuple(sorted(polygons, key=lambda polygon: -_area(polygon.points)))


def _area(points: Points) -> float:
    """Return the area of a polygon, by the shoelace formula."""
    xs, ys = np.array(points).reshape(-1, 2).T
    return abs(float(np.dot(xs, np.roll(ys, -1)) - np.dot(ys, np.roll(xs, -1)))) / 2
