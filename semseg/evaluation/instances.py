"""The instance-weighted scores of Cityscapes: all objects have the same weight, whatever their size.

They are computed as in `evalPixelLevelSemanticLabeling.py` of cityscapesScripts (there called nIoU or iIoU): the weight
of a pixel of an object is the mean size of the objects of its class, divided by the size of the object. Pixels that are
wrongly predicted as a class belong to no object and have weight 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from semseg.errors import InvalidInputError
from semseg.labels import CITYSCAPES

MEAN_SIZE_PX = {
    "bicycle": 4672.3249222261,
    "motorcycle": 6298.7200839748,
    "rider": 3930.4788056518,
    "bus": 35732.1511111111,
    "train": 67583.7075812274,
    "car": 12794.0202738185,
    "person": 3462.4756337644,
    "truck": 27855.1264367816,
}
"""Mean size of the objects in Cityscapes' training set, from cityscapesScripts (`avgClassSize`)."""


class InstanceAreas(NamedTuple):
    """Weighted pixels of the objects of a set of images.

    Attributes:
        classes: names, in the order of their train ids.
        found: float64, shape (images, num_classes): pixels that were predicted as their class.
        found_category: float64, shape (images, num_classes): pixels that were predicted as a class of their category
            that has instances.
        all: float64, shape (images, num_classes): all pixels.
    """

    classes: Sequence[str]
    found: np.ndarray
    found_category: np.ndarray
    all: np.ndarray

    def class_iou(self, matrix: np.ndarray) -> np.ndarray:
        """Return the score of each class in percent; nan for classes without instances, or without any pixel.

        Args:
            matrix: confusion matrix of the same images, from `Confusions.total`.
        """
        false = matrix.sum(0)[:-1] - matrix.diagonal()
        return np.array(
            [
                _ratio(_sum(self.found[:, i]), _sum(self.all[:, i]) + int(false[i]))
                if name in MEAN_SIZE_PX
                else math.nan
                for i, name in enumerate(self.classes)
            ]
        )

    def category_iou(self, matrix: np.ndarray, categories: Sequence[str]) -> dict[str, float]:
        """Return the score of each category that has instances, in percent.

        Args:
            matrix: confusion matrix of the same images, from `Confusions.total`.
            categories: category of each class.
        """
        result = {}
        for category in dict.fromkeys(categories):
            members = np.array([category_of_class == category for category_of_class in categories])
            with_instances = members & np.isin(self.classes, list(MEAN_SIZE_PX))
            if with_instances.any():
                false = int(matrix[~members, :-1][:, with_instances].sum())
                found = math.fsum(self.found_category[:, with_instances].flat)
                result[category] = _ratio(found, math.fsum(self.all[:, with_instances].flat) + false)
        return result


def weigh_instances(
    predicted: np.ndarray, instance_ids: np.ndarray, classes: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count the pixels of the objects of one image.

    Args:
        predicted: train ids, shape (height, width); a value that is not a class counts as wrong.
        instance_ids: as in Cityscapes' `*_instanceIds.png`, shape (height, width): label id * 1000 + number for
            the pixels of an object.
        classes: names, in the order of their train ids.

    Returns:
        `found`, `found_category` and `all` of `InstanceAreas`, shape (num_classes,) each.

    Raises:
        ValueError: the two sizes differ.
    """
    if predicted.shape != instance_ids.shape:
        raise InvalidInputError(
            f"the prediction is {predicted.shape} large, its instance image {instance_ids.shape}", code="E-input-size"
        )
    result = np.zeros((3, len(classes)))
    is_object = instance_ids > 1000
    objects, place = np.unique(instance_ids[is_object], return_inverse=True)
    num_classes = len(classes)
    table = np.zeros((len(objects), num_classes + 1), np.int64)
    np.add.at(table, (place, np.minimum(predicted[is_object], num_classes)), 1)  # the last column: no class
    by_id = {label.label_id: label for label in CITYSCAPES.labels}
    for object_id, counts in zip(objects, table, strict=True):
        label = by_id.get(int(object_id) // 1000)
        if label is None or label.name not in MEAN_SIZE_PX or label.name not in classes:
            continue
        i = list(classes).index(label.name)
        of_category = [
            j
            for j, name in enumerate(classes)
            if name in MEAN_SIZE_PX and CITYSCAPES.by_name[name].category == label.category
        ]
        size = int(counts.sum())
        weight = MEAN_SIZE_PX[label.name] / size
        result[:, i] += counts[i] * weight, counts[of_category].sum() * weight, size * weight
    return result[0], result[1], result[2]


def _sum(values: np.ndarray) -> float:
    return math.fsum(values)  # exact, so the order of the images has no effect


def _ratio(part: float, whole: float) -> float:
    return 100 * part / whole if whole else math.nan
