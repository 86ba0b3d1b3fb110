"""Convert Cityscapes annotations to train-id images in one process: 8 files of 80 polygons, 2048x1024."""

from __future__ import annotations

import importlib.util
import json
import math
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from bench import Contender, stock_tools
from semseg.datasets.cityscapes import convert as convert_cityscapes
from semseg.datasets.cityscapes.annotation import draw_train_ids
from semseg.labels import CITYSCAPES

NUM_FILES = 8
NUM_POLYGONS = 80
NUM_POINTS = 25


def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]:
    """Convert new files from polygons and from label ids, convert unchanged files again, and read the images.

    The converter of MMSegmentation reads polygons only, and draws them in every case.
    """
    sides = {"ours": _write_dataset(folder / "ours")}
    programs = {"ours": lambda source: convert_cityscapes.convert(sides["ours"], source=source)}
    if stock:
        convert_file = _load_stock_converter()
        sides["stock"] = _write_dataset(folder / "stock")
        paths = [str(path) for path in sorted(sides["stock"].rglob("*_polygons.json"))]
        programs["stock"] = lambda source: [convert_file(path) for path in paths]

    def contenders(source: str, prepare: Callable[[str], None] = lambda side: None) -> dict[str, Contender]:
        def run(side: str) -> None:
            programs[side](source)

        return {side: Contender(lambda side=side: run(side), lambda side=side: prepare(side)) for side in sides}

    def remove_images(side: str) -> None:
        for path in sides[side].rglob("*_labelTrainIds.png"):
            path.unlink()

    def read_images(side: str) -> None:  # images written by the cases before; read with Pillow, as in training
        for path in sides[side].rglob("*_labelTrainIds.png"):
            np.asarray(Image.open(path))

    return {
        "first time": contenders("polygons", remove_images),
        "first time, label ids": contenders("labelids", remove_images),
        "again": contenders("auto"),
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
    """Write polygon files and label ids: a few large areas, such as roads, then smaller and smaller objects."""
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
        label_ids = CITYSCAPES.to_label_ids(draw_train_ids(annotation))
        Image.fromarray(label_ids).save(str(path).replace("_polygons.json", "_labelIds.png"))
    return root
