"""Small labelled sets, drawn with known widths."""

import numpy as np
import yaml
from PIL import Image

WIDTHS = (1, 2, 3, 5, 8)


def stripes(height=120, width=120):
    """Return train ids: stripe i, of class i + 1 and width WIDTHS[i], from top to bottom; the rest is class 0."""
    train_ids = np.zeros((height, width), np.uint8)
    for i, stripe in enumerate(WIDTHS):
        train_ids[:, 10 + 22 * i : 10 + 22 * i + stripe] = i + 1
    return train_ids


def write_set(folder, masks, classes, splits=("train", "val"), **keys):
    """Write a dataset.yaml with these masks in each split; photographs show the class as a grey."""
    for split in splits:
        for kind in ("images", "masks"):
            (folder / kind / split).mkdir(parents=True, exist_ok=True)
        for i, mask in enumerate(masks):
            noise = np.random.default_rng(i).integers(0, 30, (*mask.shape, 3), dtype=np.uint8)
            shown = np.repeat(mask[..., None] * 60, 3, axis=2).astype(np.uint8)
            Image.fromarray(shown + noise).save(folder / "images" / split / f"{i:03d}.png")
            Image.fromarray(mask).save(folder / "masks" / split / f"{i:03d}.png")
    content = {
        "encoding": "ids",
        "splits": {split: {"images": f"images/{split}", "masks": f"masks/{split}"} for split in splits},
        "classes": [{"name": name, "color": [40 * i, 20, 90]} for i, name in enumerate(classes)],
        **keys,
    }
    path = folder / "dataset.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def squares(num=8, side=64, seed=0):
    """Return masks with a square of class 1 somewhere."""
    generator = np.random.default_rng(seed)
    masks = []
    for _ in range(num):
        mask = np.zeros((side, side), np.uint8)
        top, left = generator.integers(0, side - 24, 2)
        mask[top : top + 24, left : left + 24] = 1
        masks.append(mask)
    return masks
