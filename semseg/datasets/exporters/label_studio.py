"""Write tasks of Label Studio whose predictions are brush regions, one per class, and the labelling configuration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from semseg.datasets.brush_rle import encode_brush
from semseg.datasets.dataset_keys import Color, hex_color
from semseg.datasets.exporters.items import Item
from semseg.datasets.exporters.regions import present_classes
from semseg.datasets.importers.class_lists import Classes
from semseg.system.atomic import atomic_path

TASKS, CONFIG = "tasks.json", "labeling_config.xml"
_FROM, _TO = "label", "image"


def encode(train_ids: np.ndarray) -> list[tuple[int, list[int]]]:
    """Return the run lengths of each class that is present, by train id."""
    return [(train_id, list(encode_brush(train_ids == train_id))) for train_id in present_classes(train_ids)]


def write(
    out_dir: Path, items: Sequence[Item], classes: Classes, images_dir: Path, encoded: Iterable[list]
) -> list[str]:
    """Write `tasks.json` and `labeling_config.xml`, and return their names.

    The images are referenced as local files, relative to the folder that holds `images_dir`.
    """
    with atomic_path(out_dir / TASKS) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write("[")
        for index, (item, regions) in enumerate(zip(items, encoded, strict=True)):
            file.write("\n" if index == 0 else ",\n")
            file.write(json.dumps(_task(item, regions, classes, images_dir), ensure_ascii=True))
        file.write("\n]\n")
    with atomic_path(out_dir / CONFIG) as temporary:
        temporary.write_text(_config(classes.names, classes.colors), encoding="utf-8")
    return [TASKS, CONFIG]


def _task(item: Item, regions: list[tuple[int, list[int]]], classes: Classes, images_dir: Path) -> dict:
    width, height = item.size
    results = [
        {
            "id": f"class{train_id}",
            "type": "brushlabels",
            "from_name": _FROM,
            "to_name": _TO,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {"format": "rle", "rle": runs, "brushlabels": [classes.names[train_id]]},
        }
        for train_id, runs in regions
    ]
    place = quote(f"{images_dir.absolute().name}/{item.name}", errors="surrogateescape")
    return {
        "data": {"image": f"/data/local-files/?d={place}"},
        "predictions": [{"model_version": "semseg", "result": results}],
    }


def _config(names: Sequence[str], colors: Sequence[Color]) -> str:
    labels = [
        f"    <Label value={quoteattr(name)} background={quoteattr(hex_color(color))}/>"
        for name, color in zip(names, colors, strict=True)
    ]
    return "\n".join(
        [
            "<View>",
            f'  <Image name="{_TO}" value="$image" zoom="true" zoomControl="true"/>',
            f'  <BrushLabels name="{_FROM}" toName="{_TO}">',
            *labels,
            "  </BrushLabels>",
            "</View>",
            "",
        ]
    )
