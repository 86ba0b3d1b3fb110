"""A small labelled set and a checkpoint that fits it."""

import numpy as np
from PIL import Image

from semseg import labels
from tests.checkpoints.described import save, small_config
from tests.inference.test_predictor import lively_checkpoint, picture

NUM_PICTURES = 4


def write_labelled_set(root):
    """Write dataset.yaml (Cityscapes' classes; train and val of 2 pictures each of 128 x 64) and best.pth.

    The labels are two halves, road and sky, which the random weights of best.pth contradict.
    """
    train_ids = np.zeros((64, 128), np.uint8)
    train_ids[:32] = labels.CITYSCAPES.classes.index("sky")
    for number in range(NUM_PICTURES):
        split = "train" if number < 2 else "val"
        for kind, array in (("photos", picture(64, 128, seed=number)), ("masks", train_ids)):
            path = root / kind / split / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)
    splits = ", ".join(f"{split}: {{images: photos/{split}, masks: masks/{split}}}" for split in ("train", "val"))
    (root / "dataset.yaml").write_text(f"splits: {{{splits}}}\nencoding: ids\nclasses: cityscapes\n")
    save(root / "best.pth", lively_checkpoint(small_config()))
    return root
