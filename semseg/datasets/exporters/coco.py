"""Write an instances file of COCO: one compressed run-length encoding per image and class."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from semseg.datasets.exporters.items import Item
from semseg.datasets.exporters.regions import Box, bounding_box, present_classes, run_lengths
from semseg.datasets.importers.class_lists import Classes
from semseg.system.atomic import atomic_path

INSTANCES = "annotations/instances_default.json"  # the layout of CVAT and Datumaro


def encode(train_ids: np.ndarray) -> list[tuple[int, str, int, Box]]:
    """Return train id, compressed run lengths, area and box of each class that is present."""
    regions = []
    for train_id in present_classes(train_ids):
        mask = train_ids == train_id
        counts = run_lengths(mask.T.ravel())  # along the columns
        regions.append((train_id, compress(counts), int(mask.sum()), bounding_box(mask)))
    return regions


def write(out_dir: Path, items: Sequence[Item], classes: Classes, images_dir: Path, encoded: Iterable) -> list[str]:
    """Write `annotations/instances_default.json` and return its name.

    Category ids start at 1, because 0 is the background in some programs.
    """
    images = [
        {"id": image_id, "file_name": item.name, "width": item.size[0], "height": item.size[1]}
        for image_id, item in enumerate(items, 1)
    ]
    categories = [
        {"id": train_id + 1, "name": name, "supercategory": ""} for train_id, name in enumerate(classes.names)
    ]
    with atomic_path(out_dir / INSTANCES) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f'{{"images": {json.dumps(images)},\n"categories": {json.dumps(categories)},\n"annotations": [')
        annotation_id = 0
        for image_id, (item, regions) in enumerate(zip(items, encoded, strict=True), 1):
            for train_id, counts, area, box in regions:
                annotation_id += 1
                annotation = {
                    "id": annotation_id,
                    "image_id": image_id,
                    "category_id": train_id + 1,
                    "segmentation": {"size": [item.size[1], item.size[0]], "counts": counts},
                    "area": area,
                    "bbox": list(box),
                    "iscrowd": 0,
                }
                file.write(f"{',' if annotation_id > 1 else ''}\n{json.dumps(annotation)}")
        file.write("\n]}\n")
    return [INSTANCES]


def compress(counts: np.ndarray) -> str:
    """Return run lengths as text, as `rleToString` in COCO's maskApi.c writes them.

    From the fourth number on, the difference to the number two positions before is written. Each character has six
    bits, added to 48: five bits of the number, least significant first, and one that tells whether more bits follow.
    """
    numbers = counts.astype(np.int64)
    numbers[3:] -= counts[1:-2]
    characters = []
    for number in map(int, numbers):
        while True:
            bits, number = number & 31, number >> 5
            is_last = number == (-1 if bits & 16 else 0)
            characters.append(chr(48 + bits + (0 if is_last else 32)))
            if is_last:
                break
    return "".join(characters)
