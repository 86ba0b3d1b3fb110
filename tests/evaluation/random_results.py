"""Results of random masks, as if a model had been tested."""

import numpy as np
import torch

from semseg.evaluation.confusion import Confusions, count_pixels, entries_of
from semseg.evaluation.results import Evaluation, write_results
from semseg.evaluation.slices import by_folder

CLASSES = ("road", "car", "train")
FACTS = {"created": "now", "run": {"checkpoint": "best.pth"}, "data": {}}


def evaluation(seed=0, quality=0.5, num_images=6, absent="zero", num_classes=3):
    """Evaluate random images of one size with two classes in the truth, which is the same for every seed."""
    truth, noise = np.random.default_rng(9), np.random.default_rng(seed)
    entries = {}
    for i in range(num_images):
        target = truth.integers(0, 2, (8, 10))
        random = noise.integers(0, num_classes, target.shape)
        predicted = np.where(noise.random(target.shape) < quality, target, random)
        matrix = count_pixels(torch.from_numpy(predicted), torch.from_numpy(target), 3)
        entries[f"{'ab'[i % 2]}/{i}.png"] = target.shape, *entries_of(matrix.numpy())
    confusions = Confusions.of(entries, 3)
    return Evaluation(CLASSES, [[1, 2, 3], [4, 5, 6], [7, 8, 9]], 255, absent, confusions, {})


def write(folder, **options):
    """Write a folder of results; the options are those of `evaluation`."""
    result = evaluation(**options)
    images = result.confusions.images
    files = [{"path": f"photos/{name}", "mask": name} for name in images]
    write_results(folder, result, FACTS, files, by_folder(images))
    return folder
