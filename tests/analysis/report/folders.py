"""Results folders and trainings as the programs leave them, drawn in memory: small streets and guesses about them."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from semseg.evaluation import results
from semseg.evaluation.confusion import Confusions, count_pixels, entries_of
from semseg.evaluation.slices import by_folder

CLASSES = ["road", "sidewalk", "building", "vegetation", "sky", "person", "car", "train"]
PALETTE = [
    [128, 64, 128],
    [244, 35, 232],
    [70, 70, 70],
    [107, 142, 35],
    [70, 130, 180],
    [220, 20, 60],
    [0, 0, 142],
    [0, 80, 100],
]
TRAIN = 7  # in no truth


def street(seed, height, width):
    """Return a photograph, its train ids, and a prediction of them that is wrong here and there."""
    rng = np.random.default_rng(seed)
    target = np.full((height, width), 4, np.uint8)
    for x in range(0, width, width // 8):
        top = int(rng.integers(height // 6, height // 2))
        target[top:, x : x + width // 8] = rng.choice([2, 2, 3])
    target[height * 3 // 5 :] = 1
    target[height * 2 // 3 :] = 0
    for class_id, size in ((6, height // 5), (5, height // 8), (6, height // 9)):
        x, y = int(rng.integers(0, width - size)), int(rng.integers(height // 2, height - size))
        target[y : y + size, x : x + size * (1 if class_id == 6 else 2) // 2 + 1] = class_id
    target[-height // 20 :] = 255
    image = np.asarray(PALETTE, np.int16)[np.where(target == 255, 0, target)] // 2 + 60
    image = (
        image + rng.integers(-12, 12, (height // 8 + 1, width // 8 + 1, 3)).repeat(8, 0).repeat(8, 1)[:height, :width]
    )
    predicted = np.where(target == 255, 0, target)
    predicted = np.roll(predicted, int(rng.integers(1, 2 + height // 40)), axis=1)
    for _ in range(int(rng.integers(1, 9))):
        x, y, size = int(rng.integers(0, width)), int(rng.integers(0, height)), int(rng.integers(4, height // 4))
        region = predicted[y : y + size, x : x + 2 * size]
        region[region == rng.integers(0, 7)] = rng.integers(0, 8)
    return image.clip(0, 255).astype(np.uint8), target, predicted.astype(np.uint8)


def write_results(
    folder, num_images=6, size=(96, 192), classes=CLASSES, extras=True, work_dir=None, seed=0, num_drawn=None
):
    """Write a results folder into `folder`, its photographs into `folder/../photographs`.

    Args:
        num_drawn: so many different streets; further images are copies of them (default: all differ).
    """
    folder, drawn, found = Path(folder), [], {}
    for index in range(num_images):
        city = ("kieselburg", "lindmark")[index % 2]
        name = f"{city}/{city}_{index:06d}.png"
        if num_drawn is None or index < num_drawn:
            drawn.append(street(seed + index, *size))
        image, target, predicted = drawn[index % len(drawn)]
        pictures = (
            (folder.parent / "photographs" / name, image),
            (folder / "target" / name, target),
            (folder / "predicted" / name, predicted),
        )
        for path, array in pictures:
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(array)
            if array.ndim == 2:
                picture.putpalette(np.asarray(PALETTE, np.uint8).tobytes())
            picture.save(path, compress_level=1)
        counts = count_pixels(torch.from_numpy(predicted), torch.from_numpy(target), len(classes))
        found[name] = (size, *entries_of(counts.numpy()))
    confusions = Confusions.of(found, len(classes))
    slices = {
        **by_folder(confusions.images),
        "weather": [("sun", "rain")[i % 3 == 0] for i in range(num_images)],
    }
    results.write_results(
        folder,
        results.Evaluation(classes, PALETTE, 255, "zero", confusions, _extras(len(classes)) if extras else {}),
        _facts(num_images, work_dir),
        [{"path": str(folder.parent / "photographs" / name), "mask": name} for name in confusions.images],
        slices,
    )
    return folder


def _facts(num_images, work_dir):
    name = "pspnet_r18-d8_1xb4-1000_toycity-128x256"
    return {
        "created": "2026-11-22T17:40:00Z",
        "run": {
            "model": "EncoderDecoder, ResNet-18, PSPHead",
            "config": name,
            "checkpoint": f"work_dirs/{name}/best_mIoU_iter_1000.pth",
            "iteration": 1000,
            "seed": 0,
            "versions": {"semseg": "0.1.0", "torch": "2.14.1", "mmseg": "1.4.2"},
            "command": f"tools/test.py work_dirs/{name}/best_mIoU_iter_1000.pth",
            "work_dir": None if work_dir is None else str(work_dir),
        },
        "data": {
            "name": "toycity",
            "root": "data/toycity",
            "split": "val",
            "num_images": num_images,
            "fingerprint": {"sha256": "d617d098f1cc95ff", "images": {"train": 200, "val": num_images}},
        },
    }


def _extras(num):
    iou = [90.0 - 8 * i for i in range(num)]
    bins = [
        {
            "low": i / 15,
            "high": (i + 1) / 15,
            "confidence": None if i < 2 else 100 * (i + 0.5) / 15,
            "accuracy": None if i < 2 else 100 * ((i + 0.5) / 15) ** 1.3,
            "share": 0.0 if i < 2 else 100 * 2.0 ** (i - 15),
        }
        for i in range(15)
    ]
    return {
        "boundary": {
            "distance_px": 4,
            "mIoU": 41.0,
            "per_class": [None if i == TRAIN else iou[i] * 0.7 for i in range(num)],
        },
        "trimap": {
            "widths_px": [1, 2, 4, 8, 16, 32],
            "error": [44.0, 38.0, 30.0, 22.0, 17.0, 14.0],
            "mIoU": [31.0, 36.0, 42.0, 47.0, 50.0, 52.0],
            "share": [4.0, 8.0, 15.0, 26.0, 41.0, 60.0],
            "beyond": {"error": 6.0, "share": 40.0},
        },
        "sizes": {
            "bounds_px": [1024, 9216],
            "names": ["small", "medium", "large"],
            "recall": [[None if i == TRAIN else iou[i] * part for i in range(num)] for part in (0.5, 0.8, 1.0)],
            "objects": [[0 if i == TRAIN else count for i in range(num)] for count in (40, 12, 6)],
        },
        "rows": {
            "edges": [i / 8 for i in range(9)],
            "aAcc": [92.0, 90.0, 84.0, 76.0, 71.0, 80.0, 93.0, 96.0],
            "mIoU": [40.0, 44.0, 47.0, 45.0, 43.0, 48.0, 52.0, 55.0],
            "share": [12.5] * 8,
        },
        "calibration": {
            "num_bins": 15,
            "ece": 3.2,
            "bins": bins,
            "per_class": [
                {"ece": 2.0 + i, "confidence": 90.0 - i, "precision": 88.0 - 2 * i, "share": 100 / num}
                for i in range(num)
            ],
        },
    }


def write_start(work_dir, name, start_iteration, iterations, loss, val_every=100, panels=True):
    """Write one start of a training into `work_dir/name`: run.json, scalars.json, and two pictures per validation."""
    folder = Path(work_dir) / name
    (folder / "vis_data").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"schema": 1, "seed": 0, "start_iteration": start_iteration}))
    lines = []
    for step in iterations:
        lines.append({"lr": 0.01 * (1 - step / 2000), "loss": loss(step), "iter": step, "step": step})
        if step % val_every == 0:
            lines.append({"aAcc": 60 + step / 40, "mIoU": 20 + step / 30, "mAcc": 30 + step / 30, "step": step})
            for image in ("kieselburg_1", "lindmark_2") if panels else ():
                (folder / "panels").mkdir(exist_ok=True)
                picture = Image.fromarray(street(step, 64, 256)[0])
                picture.save(folder / "panels" / f"{image}_iter_{step:06d}.jpg")
    (folder / "vis_data/scalars.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder
