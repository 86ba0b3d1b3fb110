"""Tiny sets in the layouts in which they are published, and how they are read back after an import."""

import numpy as np
from PIL import Image

from semseg.checks.dataset import check_dataset_file
from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.importers import Request, plan
from semseg.datasets.masks import decode_mask
from semseg.datasets.pairs import find_pairs

SHAPE = (4, 6)  # height, width
RANDOM = np.random.default_rng(0)


def save(path, pixels, palette=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(pixels, np.uint8))
    if palette is not None:
        image.putpalette(palette)
    image.save(path)


def save_photo(path):
    """Write noise, so that no two photographs are the same."""
    save(path, RANDOM.integers(0, 256, (*SHAPE, 3)))


def columns(*values):
    """Return a mask whose columns have these values; the last one fills the rest."""
    row = [*values, *[values[-1]] * (SHAPE[1] - len(values))][: SHAPE[1]]
    return np.array([row] * SHAPE[0], np.uint8)


def read_back(out_dir):
    """Return the classes, and by split the first row of train ids by name of the photograph; the check must pass."""
    dataset = read_dataset_file(out_dir / "dataset.yaml")
    report = check_dataset_file(dataset.path, [])
    assert not report.of_kind("error"), report.lines()
    rows = {
        split: {
            pair.image_path.stem: decode_mask(pair.mask_path, dataset)[0].tolist()
            for pair in find_pairs(dataset, split).pairs
        }
        for split in dataset.splits
    }
    return dataset, rows


def imported(name, source, **more):
    done = plan(Request(name, source, source.parent / "out", **more))
    done.write()
    return (done, *read_back(source.parent / "out"))


def draw(root, *places, mask):
    """Write a photograph and its mask for each pair of paths."""
    for image, mask_path in places:
        save_photo(root / image)
        save(root / mask_path, mask)
