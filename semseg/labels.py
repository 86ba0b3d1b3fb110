"""Label spaces: which classes exist, under which ids, in which colours.

The Cityscapes table is the one of cityscapesScripts (`helpers/labels.py`); everything else about
classes in this project is derived from it.

An annotated image has one of two encodings, which must not be confused:

* label ids (`*_labelIds.png`): 0 to 33, every label that was ever annotated;
* train ids (`*_labelTrainIds.png`): 0 to 18 for the evaluated classes, 255 for all that is ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

IGNORED = 255
"""The train id of pixels that are left out of the loss and of the scores."""


class Label(NamedTuple):
    """One row of a label table.

    Example:
        >>> from semseg.labels import CITYSCAPES
        >>> car = CITYSCAPES.by_name["car"]
        >>> car.label_id, car.train_id, car.color
        (26, 13, (0, 0, 142))
    """

    name: str
    label_id: int  # value in label-id images; negative: never drawn
    train_id: int  # value in train-id images; IGNORED or negative: not a class
    category: str
    has_instances: bool  # each object has an instance of its own
    color: tuple[int, int, int]  # RGB


@dataclass(frozen=True)
class LabelSpace:
    """A label table with the views that the rest of the project needs.

    Example:
        >>> from semseg.labels import CITYSCAPES
        >>> CITYSCAPES.classes[:3]
        ('road', 'sidewalk', 'building')
        >>> CITYSCAPES.palette[0]
        [128, 64, 128]
    """

    labels: tuple[Label, ...]

    @cached_property
    def by_name(self) -> dict[str, Label]:
        """Every label, ignored ones too."""
        return {label.name: label for label in self.labels}

    @cached_property
    def evaluated(self) -> tuple[Label, ...]:
        """The labels that are classes, in the order of their train ids."""
        classes = [label for label in self.labels if 0 <= label.train_id < IGNORED]
        return tuple(sorted(classes, key=lambda label: label.train_id))

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of their train ids."""
        return tuple(label.name for label in self.evaluated)

    @property
    def palette(self) -> list[list[int]]:
        """RGB colours of the classes, in the order of their train ids."""
        return [list(label.color) for label in self.evaluated]

    def to_train_ids(self, label_ids: np.ndarray) -> np.ndarray:
        """Translate a label-id image.

        Args:
            label_ids: uint8, any shape.

        Returns:
            Train ids, uint8, same shape; values that are not in the table become IGNORED.

        Example:
            >>> import numpy as np
            >>> from semseg.labels import CITYSCAPES
            >>> CITYSCAPES.to_train_ids(np.array([[7, 26, 4]], np.uint8))  # road, car, static
            array([[  0,  13, 255]], dtype=uint8)
        """
        table = np.full(256, IGNORED, np.uint8)
        for label in self.evaluated:
            table[label.label_id] = label.train_id
        return table[label_ids]

    def to_label_ids(self, train_ids: np.ndarray) -> np.ndarray:
        """Translate a train-id image; values that are not classes become 0 (unlabeled).

        Example:
            >>> import numpy as np
            >>> from semseg.labels import CITYSCAPES
            >>> CITYSCAPES.to_label_ids(np.array([[0, 13, 255]], np.uint8))
            array([[ 7, 26,  0]], dtype=uint8)
        """
        table = np.zeros(256, np.uint8)
        for label in self.evaluated:
            table[label.train_id] = label.label_id
        return table[train_ids]


def distinct_colors(num_colors: int) -> list[tuple[int, int, int]]:
    """Return colours for classes without a colour: those of PASCAL VOC (`VOClabelcolormap.m`), without black.

    Args:
        num_colors: up to 255.

    Example:
        >>> from semseg.labels import distinct_colors
        >>> distinct_colors(3)
        [(128, 0, 0), (0, 128, 0), (128, 128, 0)]
    """
    colors = []
    for number in range(1, num_colors + 1):
        bits = f"{number:024b}"[::-1]  # bit 0, 3, 6, ... is red, most significant first
        red, green, blue = (int(f"{bits[channel::3]:0<8}"[:8], 2) for channel in range(3))
        colors.append((red, green, blue))
    return colors


def categories_of(classes: Sequence[str]) -> list[str] | None:
    """Return the Cityscapes category of each class; None where a class is not one of Cityscapes.

    Example:
        >>> from semseg.labels import categories_of
        >>> categories_of(["road", "car"])
        ['flat', 'vehicle']
        >>> categories_of(["road", "boat"])
    """
    evaluated = {label.name: label for label in CITYSCAPES.evaluated}
    if not classes or not all(name in evaluated for name in classes):
        return None
    return [evaluated[name].category for name in classes]


# fmt: off
CITYSCAPES = LabelSpace((
    #     name                   label_id train_id   category        has_instances  color
    Label("unlabeled",                  0, IGNORED, "void",          False, (  0,   0,   0)),
    Label("ego vehicle",                1, IGNORED, "void",          False, (  0,   0,   0)),
    Label("rectification border",       2, IGNORED, "void",          False, (  0,   0,   0)),
    Label("out of roi",                 3, IGNORED, "void",          False, (  0,   0,   0)),
    Label("static",                     4, IGNORED, "void",          False, (  0,   0,   0)),
    Label("dynamic",                    5, IGNORED, "void",          False, (111,  74,   0)),
    Label("ground",                     6, IGNORED, "void",          False, ( 81,   0,  81)),
    Label("road",                       7,       0, "flat",          False, (128,  64, 128)),
    Label("sidewalk",                   8,       1, "flat",          False, (244,  35, 232)),
    Label("parking",                    9, IGNORED, "flat",          False, (250, 170, 160)),
    Label("rail track",                10, IGNORED, "flat",          False, (230, 150, 140)),
    Label("building",                  11,       2, "construction",  False, ( 70,  70,  70)),
    Label("wall",                      12,       3, "construction",  False, (102, 102, 156)),
    Label("fence",                     13,       4, "construction",  False, (190, 153, 153)),
    Label("guard rail",                14, IGNORED, "construction",  False, (180, 165, 180)),
    Label("bridge",                    15, IGNORED, "construction",  False, (150, 100, 100)),
    Label("tunnel",                    16, IGNORED, "construction",  False, (150, 120,  90)),
    Label("pole",                      17,       5, "object",        False, (153, 153, 153)),
    Label("polegroup",                 18, IGNORED, "object",        False, (153, 153, 153)),
    Label("traffic light",             19,       6, "object",        False, (250, 170,  30)),
    Label("traffic sign",              20,       7, "object",        False, (220, 220,   0)),
    Label("vegetation",                21,       8, "nature",        False, (107, 142,  35)),
    Label("terrain",                   22,       9, "nature",        False, (152, 251, 152)),
    Label("sky",                       23,      10, "sky",           False, ( 70, 130, 180)),
    Label("person",                    24,      11, "human",         True,  (220,  20,  60)),
    Label("rider",                     25,      12, "human",         True,  (255,   0,   0)),
    Label("car",                       26,      13, "vehicle",       True,  (  0,   0, 142)),
    Label("truck",                     27,      14, "vehicle",       True,  (  0,   0,  70)),
    Label("bus",                       28,      15, "vehicle",       True,  (  0,  60, 100)),
    Label("caravan",                   29, IGNORED, "vehicle",       True,  (  0,   0,  90)),
    Label("trailer",                   30, IGNORED, "vehicle",       True,  (  0,   0, 110)),
    Label("train",                     31,      16, "vehicle",       True,  (  0,  80, 100)),
    Label("motorcycle",                32,      17, "vehicle",       True,  (  0,   0, 230)),
    Label("bicycle",                   33,      18, "vehicle",       True,  (119,  11,  32)),
    Label("license plate",             -1,      -1, "vehicle",       False, (  0,   0, 142)),
))
# fmt: on
