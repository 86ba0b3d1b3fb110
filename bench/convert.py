"""Cityscapes polygons to train-id images, in one process: 8 files of 80 polygons, 2048x1024."""

from __future__ import annotations

import importlib.util
import json
import math
import random
from pathlib import Path

import numpy as np
from PIL import Image

from bench import Contender, stock_tools
from semseg.labels import CITYSCAPES
from semseg.prepare import cityscapes

NUM_FILES = 8
NUM_POLYGONS = 80
NUM_POINTS = 25


def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]:
    """Convert files that have no image yet, again with nothing changed, and read the images."""
    sides = {"ours": _write_dataset(folder / "ours")}
    programs = {"ours": lambda: cityscapes.convert(sides["ours"])}
    if stock:
        convert_file = _load_stock_converter()
        sides["stock"] = _write_dataset(folder / "stock")
        paths = [str(path) for path in sorted(sides["stock"].rglob("*_polygons.json"))]
        programs["stock"] = lambda: [convert_file(path) for path in paths]

    def run(side: str) -> None:
        programs[side]()

    def remove_images(side: str) -> None:
        for path in sides[side].rglob("*_labelTrainIds.png"):
            path.unlink()

    def read_images(side: str) -> None:  # those that the cases before left; Pillow as in training
        for path in sides[side].rglob("*_labelTrainIds.png"):
            np.asarray(Image.open(path))

    return {
        "first time": {
            side: Contender(lambda side=side: run(side), lambda side=side: remove_images(side))
            for side in sides
        },
        "again": {side: Contender(lambda side=side: run(side)) for side in sides},
        "read": {side: Contender(lambda side=side: read_images(side)) for side in sides},
    }


def _load_stock_converter():
    path = stock_tools() / "dataset_converters/cityscapes.py"
    spec = importlib.util.spec_from_file_location("stock_cityscapes_converter", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise FileNotFoundError(
            f"MMSegmentation's converter needs {error.name}, which is not installed: pip install -e .[test]"
        ) from None
    return module.convert_json_to_label


def _write_dataset(root: Path) -> Path:
    """Write polygon files: a few large areas as roads and skies are, then ever smaller objects."""
    rng = random.Random(0)
    names = [label.name for label in CITYSCAPES.labels]
    city_dir = root / "gtFine/train/aachen"
    city_dir.mkdir(parents=True)
    for index in range(NUM_FILES):
        objects = []
        for rank in range(NUM_POLYGONS):
            x, y, radius = rng.uniform(0, 2048), rng.uniform(0, 1024), max(15, 900 * 0.9**rank)
            polygon = []
            for corner in range(NUM_POINTS):
                angle, reach = 2 * math.pi * corner / NUM_POINTS, radius * rng.uniform(0.7, 1)
                polygon.append([round(x + reach * math.cos(angle)), round(y + reach * math.sin(angle))])
            objects.append({"label": rng.choice(names), "polygon": polygon})
        annotation = {"imgHeight": 1024, "imgWidth": 2048, "objects": objects}
        path = city_dir / f"aachen_{index:06}_000019_gtFine_polygons.json"
        path.write_text(json.dumps(annotation, indent=4))
    return root
