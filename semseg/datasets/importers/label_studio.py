"""Read Label Studio's JSON export: brush regions, polygons, rectangles and ellipses of images.

Of a task, the newest annotation that was not cancelled is used; without annotations, the newest prediction. Painting
order: file order. Polygons, rectangles and ellipses are drawn with pycocotools, as those of CVAT.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from semseg.datasets.brush_rle import decode_brush
from semseg.datasets.importers.coco import mask_name
from semseg.datasets.importers.parsed import Annotated, Parsed
from semseg.datasets.importers.shapes import Polygons, Shape, Size
from semseg.errors import InvalidDataError, MissingDataError
from semseg.system.folders import walk_files

_GEOMETRY = ("rle", "points", "radiusX", "height")  # keys of a value, of a brush, polygon, ellipse, rectangle
_ELLIPSE_CORNERS = 180
_UPLOAD_PREFIX = re.compile(r"[0-9a-f]{8}-(?=.)")  # of the name of an uploaded image


@dataclass(frozen=True, eq=False)
class Brush:
    """A brush region: packed run lengths of the whole image, see `semseg.datasets.brush_rle`."""

    label: str
    stream: bytes
    size: Size  # of the annotated image

    def problem(self, size: Size) -> str | None:
        if self.size != size:
            return f"brush on a {self.size[0]}x{self.size[1]} image; expected {size[0]}x{size[1]}"
        try:
            self.mask(size)
        except InvalidDataError as error:
            return str(error)
        return None

    def sticks_out(self, size: Size) -> bool:
        return False

    def mask(self, size: Size) -> np.ndarray:
        return decode_brush(self.stream, (size[1], size[0]))


def parse(source: Path, images_dir: Path | None = None) -> Parsed:
    """Read one export, or all JSON files under a folder.

    Args:
        source: file or folder.
        images_dir: folder of the images; default: that of the file, and `images` in it. The longest end of the path in
            a task that exists there is the image. The 8 digits that Label Studio puts before the name of an uploaded
            file may be missing.

    Raises:
        FileNotFoundError: no such file or folder, or no JSON file under it.
        ValueError: a file was not exported by Label Studio as JSON.
    """
    if source.is_dir():
        paths = sorted(path for path in walk_files(source) if path.suffix == ".json")
    elif source.is_file():
        paths = [source]
    else:
        raise MissingDataError(f"no file or folder {source}", code="E-data-missing")
    if not paths:
        raise MissingDataError(f"no .json file under {source}; export the project as JSON", code="E-data-missing")
    images, left_out, chosen = [], Counter(), Counter()
    for path in paths:
        folders = (path.parent / "images", path.parent) if images_dir is None else (images_dir,)
        for number, task in enumerate(_read(path)):
            where = f"{path}: task {task.get('id', f'number {number}')}"
            image = _image_of(task, where)
            results, kind = _choose_results(task, where)
            chosen[kind] += 1
            if results is None:
                continue
            try:
                shapes, size = _parse_results(results, left_out)
            except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
                reason = f"no {error}" if isinstance(error, KeyError) else str(error)
                raise InvalidDataError(
                    f"{where} has a region that is not Label Studio's ({reason})", code="E-data-annotation"
                ) from None
            name, image_paths = _find_image(image, folders)
            images.append(Annotated(mask_name(name), image_paths, size, tuple(shapes)))
    notes = [f"{text}: {chosen[kind]}" for kind, text in _NOTES.items() if chosen[kind]]
    return Parsed(tuple(images), left_out=tuple(sorted(left_out.items())), notes=tuple(notes), order="in file order")


_NOTES = {
    "cancelled": "left out: tasks that were skipped or cancelled",
    "nothing": "left out: tasks without annotation or prediction",
    "prediction": "tasks without annotation, whose prediction is used",
    "several": "tasks with several annotations, of which the newest is used",
}


def _read(path: Path) -> list[dict]:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise InvalidDataError(f"{path}: not JSON ({error})", code="E-data-annotation") from None
    tasks = content if isinstance(content, list) else [content]
    for task in tasks:
        if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
            raise InvalidDataError(
                f"{path}: a task without 'data'; export the project of Label Studio as JSON (not JSON-MIN)",
                code="E-data-annotation",
            )
    return tasks


def _image_of(task: dict, where: str) -> str:
    """Return the path or address of the image of a task."""
    values = {key: value for key, value in task["data"].items() if isinstance(value, str)}
    if "image" in values:
        return values["image"]
    likely = [value for value in values.values() if re.search(r"\.\w{3,4}($|\?)", value)]
    if len(likely) != 1:
        raise InvalidDataError(
            f"{where}: no image in its data, only {', '.join(task['data']) or 'nothing'}; expected the key 'image'",
            code="E-data-annotation",
        )
    return likely[0]


def _choose_results(task: dict, where: str) -> tuple[list | None, str]:
    """Return the regions to use, None if there are none, and where they come from."""
    for key in ("annotations", "predictions"):
        entries = task.get(key) or []
        if not isinstance(entries, list) or not all(
            isinstance(entry, dict) and isinstance(entry.get("result"), list) for entry in entries
        ):
            raise InvalidDataError(
                f"{where}: its {key} hold no 'result'; export the project as JSON, with all data",
                code="E-data-annotation",
            )
        valid = [entry for entry in entries if not entry.get("was_cancelled")]
        if valid:
            kind = "prediction" if key == "predictions" else "several" if len(valid) > 1 else "annotation"
            return max(valid, key=lambda entry: str(entry.get("updated_at") or entry.get("created_at") or ""))[
                "result"
            ], kind
        if entries:
            return None, "cancelled"
    return None, "cancelled" if task.get("cancelled_annotations") else "nothing"


def _parse_results(results: list, left_out: Counter) -> tuple[list[Shape], Size | None]:
    """Return the shapes of an annotation, and the size of the image."""
    labels_by_id = {str(result.get("id")): labels for result in results if (labels := _labels(result))}
    shapes, sizes = [], set()
    seen = set()
    for result in results:
        value = result.get("value")
        geometry = next((key for key in _GEOMETRY if isinstance(value, dict) and key in value), None)
        if geometry is None:
            if result.get("type") != "labels":  # of another region of this id
                left_out[str(result.get("type"))] += 1
            continue
        # with separate tools and labels, a region is listed for each, with the same id
        if result.get("id") is not None and result["id"] in seen:
            continue
        seen.add(result.get("id"))
        labels = _labels(result) or labels_by_id.get(str(result.get("id")), [])
        if not labels:
            left_out[f"{result.get('type')} without a label"] += 1
            continue
        if len(labels) > 1:
            raise InvalidDataError(f"several labels, {', '.join(labels)}", code="E-data-annotation")
        if result.get("image_rotation"):
            raise InvalidDataError(
                f"an image turned by {result['image_rotation']} degrees in Label Studio", code="E-data-annotation"
            )
        size = (int(result["original_width"]), int(result["original_height"]))
        sizes.add(size)
        shapes.append(_parse_shape(labels[0], geometry, value, size))
    if len(sizes) > 1:
        raise InvalidDataError(f"sizes {sorted(sizes)} of one image", code="E-data-annotation")
    return shapes, next(iter(sizes), None)


def _labels(result: dict) -> list[str]:
    """Return the labels of a region: the list of a key such as brushlabels, polygonlabels or labels."""
    value = result.get("value")
    lists = [entry for key, entry in value.items() if key.endswith("labels")] if isinstance(value, dict) else []
    return [str(label) for labels in lists for label in labels or ()]


def _parse_shape(label: str, geometry: str, value: dict, size: Size) -> Shape:
    """Return a shape; coordinates are stored in percent of the width and height."""
    if geometry == "rle":
        if isinstance(value["rle"], str):
            raise InvalidDataError("run lengths as text, expected a list of bytes", code="E-data-annotation")
        return Brush(label, bytes(value["rle"]), size)

    def pixels(x: Any, y: Any) -> tuple[float, float]:
        return float(x) / 100 * size[0], float(y) / 100 * size[1]

    if geometry == "points":
        return Polygons(label, (tuple(pixels(x, y) for x, y in value["points"]),))
    angle = math.radians(float(value.get("rotation") or 0))
    origin = pixels(value["x"], value["y"])  # corner of a rectangle, centre of an ellipse; the point to turn around
    if geometry == "height":
        width, height = pixels(value["width"], value["height"])
        offsets = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]
    else:
        radius_x, radius_y = pixels(value["radiusX"], value["radiusY"])
        steps = [2 * math.pi * index / _ELLIPSE_CORNERS for index in range(_ELLIPSE_CORNERS)]
        offsets = [(radius_x * math.cos(step), radius_y * math.sin(step)) for step in steps]
    cos, sin = math.cos(angle), math.sin(angle)
    return Polygons(label, (tuple((origin[0] + x * cos - y * sin, origin[1] + x * sin + y * cos) for x, y in offsets),))


def _find_image(image: str, folders: tuple[Path, ...]) -> tuple[str, tuple[Path, ...]]:
    """Return the name of an image and its possible paths.

    The name is the longest end of its path that exists in the first possible folder; the file name if there is none.
    """
    for folder in folders:
        for name in _ends(_path_in(image)):
            if os.path.isfile(folder / name):  # noqa: PTH113 (a name that is too long is no file)
                return name, (folder / name,)
    name = PurePosixPath(_path_in(image)).name or "image"
    return name, tuple(folder / name for folder in folders)


def _path_in(image: str) -> str:
    """Return the path in `/data/local-files/?d=PATH`, in an address such as https or s3, or as it is."""
    parts = urlsplit(image.replace("\\", "/"))
    if parts.path.rstrip("/").endswith("/local-files"):
        return parse_qs(parts.query, errors="surrogateescape").get("d", [""])[0]
    if parts.scheme and len(parts.scheme) > 1:  # not the letter of a drive
        return unquote(parts.path, errors="surrogateescape")
    return unquote(image.replace("\\", "/"), errors="surrogateescape") if image.startswith("/data/") else image


def _ends(path: str) -> Iterator[str]:
    """Yield a path without its first 0, 1, 2, ... folders; then the name without the digits of an upload."""
    parts = [part for part in PurePosixPath(path.replace("\\", "/")).parts if part not in ("/", "..")]
    for first in range(len(parts)):
        yield "/".join(parts[first:])
    if parts and (match := _UPLOAD_PREFIX.match(parts[-1])):
        yield parts[-1][match.end() :]
