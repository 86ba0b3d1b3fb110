"""Small sets of pictures that are no RGB of 8 bits: the class is where one of the bands is bright."""

import numpy as np
import tifffile
import yaml
from PIL import Image

SIZE = 48, 64  # height, width
CLASSES = ["dark", "bright"]


def draw(seed, num_bands, dtype, highest):
    """Return the values of a picture, shape (height, width, bands), and its train ids."""
    random = np.random.default_rng(seed)
    train_ids = np.zeros(SIZE, np.uint8)
    top, left = random.integers(0, 24, 2)
    train_ids[top : top + 24, left : left + 32] = 1
    values = random.uniform(0.2, 0.4, (*SIZE, num_bands))
    values[..., -1] += 0.5 * train_ids
    return (values * highest).astype(dtype), train_ids


def write_tiff16(path, values):
    """Band by band, in tiles, compressed."""
    planes = np.moveaxis(values, 2, 0)
    tifffile.imwrite(path, planes, planarconfig="separate", photometric="minisblack", tile=(16, 16), compression="zlib")


def write_float(path, values):
    """One band, in strips, with a corner of NaN, and GDAL's value of no data below it."""
    plane = values[..., 0].copy()
    plane[:4, :4] = np.nan
    plane[4:8, :4] = -9999
    tifffile.imwrite(path, plane, rowsperstrip=8, extratags=[(42113, 2, 0, "-9999", True)])


def write_npy(path, values):
    np.save(path, values)


KINDS = {  # suffix, writer, bands, dtype, highest value, keys of the dataset.yaml
    "tiff16": (
        ".tif",
        write_tiff16,
        4,
        np.uint16,
        10000,
        {"bands": [3, 2, 1, 4], "range": [0, 10000], "rgb": [3, 2, 1]},
    ),
    "float": (".tif", write_float, 1, np.float32, 2.5, {"bands": [1], "range": {"percentiles": [2, 98]}}),
    "npy": (".npy", write_npy, 6, np.float64, 1.0, {"bands": [6, 1, 2, 3, 4, 5], "range": [[0, 1]] * 6}),
    "three": (".tif", write_tiff16, 4, np.uint16, 10000, {"bands": [4, 3, 2], "range": {"percentiles": [1, 99]}}),
}


def write_set(root, kind, counts=(("train", 4), ("val", 2)), **keys):
    """Write a set of a kind with its dataset.yaml, and return the path of that file."""
    suffix, write, num_bands, dtype, highest, own_keys = KINDS[kind]
    seed = 0
    for split, count in counts:
        for folder in ("images", "masks"):
            (root / folder / split).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            values, train_ids = draw(seed, num_bands, dtype, highest)
            seed += 1
            write(root / "images" / split / f"{number}{suffix}", values)
            Image.fromarray(train_ids).save(root / "masks" / split / f"{number}.png")
    content = {
        "encoding": "ids",
        "classes": CLASSES,
        "splits": {split: {"images": f"images/{split}", "masks": f"masks/{split}"} for split, _ in counts},
        **own_keys,
        **keys,
    }
    path = root / "dataset.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    return path
