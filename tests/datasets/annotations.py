"""Annotations to convert, written small."""

import json
import os
from pathlib import Path

import numpy as np
from PIL import Image


def square(label: str, **more) -> dict:
    return {"label": label, "polygon": [[2, 2], [2, 9], [9, 9], [9, 2]], **more}


def write_polygons(root: Path, name: str, *objects: dict, gt: str = "gtFine") -> Path:
    """Write `<root>/<gt>/<name>_<gt>_polygons.json`, an image of 16 x 12 pixels."""
    path = root / gt / f"{name}_{gt}_polygons.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"imgWidth": 16, "imgHeight": 12, "objects": objects or [square("car")]}))
    return path


def write_label_ids(polygon_path: Path, label_id: int, older_s: float = 0) -> Path:
    """Write label ids beside a polygon file: one value, unlike what the polygons draw."""
    path = Path(str(polygon_path).replace("_polygons.json", "_labelIds.png"))
    Image.fromarray(np.full((12, 16), label_id, np.uint8)).save(path)
    make_older(path, by_s=older_s)
    return path


def make_older(path: Path, by_s: float) -> None:
    time_s = path.stat().st_mtime - by_s
    os.utime(path, (time_s, time_s))


def label_path(polygon_path: Path) -> Path:
    return Path(str(polygon_path).replace("_polygons.json", "_labelTrainIds.png"))
