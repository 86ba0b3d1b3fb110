"""Small labelled sets without faults, which the tests then damage."""

import numpy as np
import yaml
from PIL import Image

from semseg.checks.dataset import check_dataset_file

SIZE = (48, 32)  # width, height
CLASSES = ["road", "grass", "sky"]


def photograph(seed, size=SIZE):
    """Return a picture that differs from those of all other seeds."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 7, 3), np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def train_ids(seed=0, size=SIZE, num_classes=3):
    """Return a mask with every class and some ignored pixels."""
    values = np.random.default_rng(seed).integers(0, num_classes, (size[1], size[0])).astype(np.uint8)
    values[0, :5] = 255
    return values


def write_set(folder, counts=None, image_suffix=".png", **changes):
    """Write a set and its dataset.yaml, and return the path of that file.

    Args:
        folder: gets `images/SPLIT/NN.png`, `masks/SPLIT/NN.png`.
        counts: pairs by split.
        image_suffix: .png or .jpg.
        changes: keys of the dataset.yaml; None removes one.
    """
    splits = {}
    seed = 0
    for split, count in (counts or {"train": 4, "val": 2}).items():
        for number in range(count):
            for kind in ("images", "masks"):
                (folder / kind / split).mkdir(parents=True, exist_ok=True)
            photograph(seed).save(folder / "images" / split / f"{number:02}{image_suffix}")
            Image.fromarray(train_ids(seed)).save(folder / "masks" / split / f"{number:02}.png")
            seed += 1
        splits[split] = {"images": f"images/{split}", "masks": f"masks/{split}"}
    content = {"splits": splits, "encoding": "ids", "classes": CLASSES, **changes}
    path = folder / "dataset.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    return path


def plain_config(root, **changes):
    """Return a config whose dataloaders read such a set without its dataset.yaml, as in MMSegmentation."""
    from mmengine.config import Config

    from semseg import compat

    compat.repair()

    def loader(split):
        dataset = {
            "type": "BaseSegDataset",
            "data_root": str(root),
            "data_prefix": {"img_path": f"images/{split}", "seg_map_path": f"masks/{split}"},
            "img_suffix": ".png",
            "metainfo": {"classes": CLASSES, "palette": [[0, 0, 0], [1, 1, 1], [2, 2, 2]]},
            "pipeline": [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}],
            **changes,
        }
        return {"batch_size": 1, "dataset": dataset}

    head = {"num_classes": len(CLASSES)}
    return Config(
        {
            "train_dataloader": loader("train"),
            "val_dataloader": loader("val"),
            "test_dataloader": loader("val"),
            "model": {"decode_head": head, "auxiliary_head": [dict(head)]},
        }
    )


def check_set(path, **options):
    """Check a set and return the findings as {code: line}; each code occurs once."""
    report = check_dataset_file(path, **options)
    lines = {finding.code: f"{finding.kind} {finding.line()}" for finding in report.findings}
    assert len(lines) == len(report.findings), report.lines()
    return lines


def mask_of(path, number=0, split="train"):
    return path.parent / "masks" / split / f"{number:02}.png"


def image_of(path, number=0, split="train", suffix=".png"):
    return path.parent / "images" / split / f"{number:02}{suffix}"
