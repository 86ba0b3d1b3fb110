"""Write "CVAT for images 1.1": one mask per image and class, or a polygon per region."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from semseg.datasets.dataset_keys import hex_color
from semseg.datasets.exporters.items import Item
from semseg.datasets.exporters.outlines import trace_edges
from semseg.datasets.exporters.regions import bounding_box, crop, present_classes, run_lengths
from semseg.datasets.importers.class_lists import Classes
from semseg.system.atomic import atomic_path

ANNOTATIONS, LABELS = "annotations.xml", "labels.json"


def encode_masks(train_ids: np.ndarray) -> list[tuple[int, str]]:
    """Return train id and XML of the mask of each class that is present, without the label."""
    shapes = []
    for train_id in present_classes(train_ids):
        mask = train_ids == train_id
        box = bounding_box(mask)
        counts = ", ".join(map(str, run_lengths(crop(mask, box).ravel()).tolist()))
        left, top, width, height = box
        shapes.append((train_id, f'mask rle="{counts}" left="{left}" top="{top}" width="{width}" height="{height}"'))
    return shapes


def encode_polygons(train_ids: np.ndarray) -> list[tuple[int, str]]:
    """Return train id and XML of the polygon of each region, without the label.

    The outlines go along the edges of the pixels, so that CVAT and the importer, which both draw with pycocotools,
    paint the same pixels. The polygons do not overlap, so all have the same `z_order`.
    """
    shapes = []
    for train_id in present_classes(train_ids):
        for points in trace_edges(train_ids == train_id):
            text = ";".join(f"{x}.00,{y}.00" for x, y in points.tolist())
            shapes.append((train_id, f'polygon points="{text}"'))
    return shapes


def write(out_dir: Path, items: Sequence[Item], classes: Classes, images_dir: Path, encoded: Iterable) -> list[str]:
    """Write `annotations.xml`, and `labels.json` for CVAT's label constructor; return their names."""
    names = [quoteattr(name) for name in classes.names]
    with atomic_path(out_dir / ANNOTATIONS) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n')
        file.write(_meta(classes, len(items)))
        for index, (item, shapes) in enumerate(zip(items, encoded, strict=True)):
            width, height = item.size
            file.write(f'<image id="{index}" name={quoteattr(item.name)} width="{width}" height="{height}">\n')
            for train_id, shape in shapes:
                tag, _, attributes = shape.partition(" ")
                file.write(f'<{tag} label={names[train_id]} source="auto" occluded="0" {attributes} z_order="0">')
                file.write(f"</{tag}>\n")
            file.write("</image>\n")
        file.write("</annotations>\n")
    labels = [
        {"name": name, "color": hex_color(color), "attributes": []}
        for name, color in zip(classes.names, classes.colors, strict=True)
    ]
    with atomic_path(out_dir / LABELS) as temporary:
        temporary.write_text(json.dumps(labels, indent=1) + "\n", encoding="utf-8")
    return [ANNOTATIONS, LABELS]


def _meta(classes: Classes, num_images: int) -> str:
    labels = "\n".join(
        f"<label><name>{escape(name)}</name><color>{hex_color(color)}</color><type>any</type><attributes></attributes>"
        "</label>"
        for name, color in zip(classes.names, classes.colors, strict=True)
    )
    return (
        f"<meta><task><size>{num_images}</size><mode>annotation</mode><overlap>0</overlap>\n"
        f"<labels>\n{labels}\n</labels></task></meta>\n"
    )
