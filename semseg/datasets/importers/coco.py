"""Read COCO's instances files: polygons and run lengths, compressed or not.

Painting order `area`: crowds first, then larger areas before smaller ones (computed from the segmentation,
as the field `area` is optional), then file order. Small objects are usually in front, so they are painted last.
Annotations that include hidden parts of objects need the order `file`.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from semseg.datasets.importers.parsed import Annotated, Parsed
from semseg.datasets.importers.shapes import Polygons, Runs, stated_size
from semseg.errors import InvalidDataError, MissingDataError


def parse(source: Path, images_dir: Path | None = None, order: str = "area") -> Parsed:
    """Read an instances file.

    Args:
        source: the JSON file.
        images_dir: folder of the images; default: beside the file, in `images`, and in the folders of
            COCO's own archives (`annotations/instances_val2017.json`, `val2017`).
        order: of painting: `area` or `file`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is not an instances file.
    """
    if not source.is_file():
        raise MissingDataError(f"no file {source}; COCO's annotations are one .json file", code="E-data-missing")
    content = _read(source)
    try:
        label_of = {category["id"]: str(category["name"]) for category in content["categories"]}
        drawn = {image["id"]: [] for image in content["images"]}
    except (KeyError, TypeError) as error:
        raise InvalidDataError(f"{source}: an image or category without {error}", code="E-data-annotation") from None
    if len(drawn) < len(content["images"]):
        raise InvalidDataError(f"{source}: several images share an id", code="E-data-annotation")

    size_of = {
        image["id"]: stated_size(image.get("width"), image.get("height"), f"{source}: image {image['id']!r}")
        for image in content["images"]
    }
    for index, annotation in enumerate(content["annotations"]):
        name = f"{source}: annotation {annotation.get('id', f'number {index}')}"
        image_id, category_id = annotation.get("image_id"), annotation.get("category_id")
        if not isinstance(image_id, Hashable) or image_id not in drawn:
            raise InvalidDataError(
                f"{name} belongs to image {image_id!r}, which is not in 'images'", code="E-data-annotation"
            )
        if not isinstance(category_id, Hashable) or category_id not in label_of:
            raise InvalidDataError(
                f"{name} has category {category_id!r}, which is not in 'categories'", code="E-data-annotation"
            )
        try:
            shape, area = _parse_segmentation(label_of[category_id], annotation.get("segmentation"))
        except (LookupError, OverflowError, TypeError, ValueError) as error:
            raise InvalidDataError(
                f"{name} has a segmentation that is not COCO's ({error})", code="E-data-annotation"
            ) from None
        rank = (not annotation.get("iscrowd"), -area) if order == "area" else ()
        drawn[image_id].append(((*rank, index), shape))

    images = []
    for image in content["images"]:
        name = str(image.get("file_name", ""))
        if not name:
            raise InvalidDataError(f"{source}: image {image['id']!r} has no file_name", code="E-data-annotation")
        ordered = sorted(drawn[image["id"]], key=lambda entry: entry[0])
        images.append(
            Annotated(
                name=mask_name(name),
                image_paths=_list_image_paths(source, name, images_dir),
                size=size_of[image["id"]],
                shapes=tuple(shape for _, shape in ordered),
            )
        )
    described = "crowds first, then larger areas before smaller ones" if order == "area" else "in file order"
    return Parsed(tuple(images), declared=tuple(label_of.values()), order=described)


def mask_name(image_name: str) -> str:
    """Return the path of an image without suffix, as the name of its mask; only the file name of a path with `..`."""
    path = PurePosixPath(image_name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        path = PurePosixPath(path.name)
    return path.with_suffix("").as_posix()


def _read(source: Path) -> dict:
    try:
        content = json.loads(source.read_bytes())
    except ValueError as error:
        raise InvalidDataError(f"{source}: not JSON ({error})", code="E-data-annotation") from None
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise InvalidDataError(
                f"{source}: no list '{key}' in it, so it is not an instances file of COCO", code="E-data-annotation"
            )
        if not all(isinstance(entry, dict) for entry in content[key]):
            raise InvalidDataError(f"{source}: an entry of '{key}' is not an object", code="E-data-annotation")
    if any("segments_info" in annotation for annotation in content["annotations"]):
        raise InvalidDataError(f"{source}: this is a panoptic file; give the instances file", code="E-data-annotation")
    return content


def _parse_segmentation(label: str, segmentation: Any) -> tuple[Polygons | Runs, float]:
    """Return the shape and its area in pixels."""
    if isinstance(segmentation, dict):
        height, width = (int(side) for side in segmentation["size"])
        counts = segmentation["counts"]
        counts = np.array(_decompress(counts) if isinstance(counts, str) else counts, np.int64)
        return Runs(label, counts, (0, 0, width, height), "F"), float(counts[1::2].sum())
    polygons = []
    for flat in segmentation or ():
        if len(flat) % 2:
            raise InvalidDataError(f"a polygon of {len(flat)} numbers", code="E-data-annotation")
        polygons.append(tuple((float(x), float(y)) for x, y in zip(flat[::2], flat[1::2], strict=True)))
    return Polygons(label, tuple(polygons)), sum(_area(points) for points in polygons)


def _decompress(text: str) -> list[int]:
    """Read COCO's compressed run lengths (`rleFrString` in maskApi.c, which reads beyond the end of a truncated text).

    Each character has six bits: five bits of the number, least significant first, and one that tells whether more bits
    follow. From the fourth number on, the difference to the number two positions before is stored.
    """
    counts: list[int] = []
    number, shift = 0, 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise InvalidDataError(f"the character {character!r} in its counts", code="E-data-annotation")
        number |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            number -= 1 << shift if bits & 16 else 0  # the sign
            counts.append(number + counts[-2] if len(counts) > 2 else number)
            number, shift = 0, 0
    if shift:
        raise InvalidDataError("counts that are truncated", code="E-data-annotation")
    return counts


def _area(points: tuple) -> float:
    """Return the area of a polygon, by the shoelace formula."""
    double_area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True))
    return abs(double_area) / 2


def _list_image_paths(source: Path, name: str, images_dir: Path | None) -> tuple[Path, ...]:
    name = name.replace("\\", "/")
    if images_dir is not None:
        return images_dir / name, images_dir / PurePosixPath(name).name
    folder, parent = source.parent, source.parent.parent
    folders = (folder, folder / "images", parent, parent / "images", parent / source.stem.removeprefix("instances_"))
    return tuple(folder / name for folder in folders)
