"""Results of tests that never ran: a few random masks."""

import numpy as np
import torch

from semseg.evaluation.confusion import Confusions, count_pixels, entries_of
from semseg.evaluation.results import Evaluation, write_results
from semseg.evaluation.slices import by_folder

CLASSES = ("road", "car", "train")
FACTS = {"created": "now", "run": {"checkpoint": "best.pth"}, "data": {}}


def evaluation(seed=0, quality=0.5, num_images=6, absent="zero", num_classes=3):
    """Of images of one size with two classes in the truth; the same truth for every seed."""
    truth, noise = np.random.default_rng(9), np.random.default_rng(seed)
    found = {}
    for i in range(num_images):
        target = truth.integers(0, 2, (8, 10))
        random = noise.integers(0, num_classes, target.shape)
        predicted = np.where(noise.random(target.shape) < quality, target, random)
        matrix = count_pixels(torch.from_numpy(predicted), torch.from_numpy(target), 3)
        found[f"{'ab'[i % 2]}/{i}.png"] = target.shape, *entries_of(matrix.numpy())
    confusions = Confusions.of(found, 3)
    return Evaluation(CLASSES, [[1, 2, 3], [4, 5, 6], [7, 8, 9]], 255, absent, confusions, {})


def write(folder, **options):
    found = evaluation(**options)
    images = found.confusions.images
    files = [{"path": f"photos/{name}", "mask": name} for name in images]
    write_results(folder, found, FACTS, files, by_folder(images))
    return folder
