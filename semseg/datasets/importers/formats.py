"""The formats of imports, and the reader of each one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from semseg.datasets.importers import (
    camvid,
    class_dict,
    class_masks,
    coco,
    colors,
    crackforest,
    cvat,
    drive,
    huggingface,
    label_studio,
    labelme,
    two_class_sets,
    voc,
    yolo,
)
from semseg.datasets.importers.class_lists import Classes
from semseg.datasets.importers.index_folders import INDEX_FOLDERS, read_index_folders
from semseg.datasets.importers.parsed import Parsed, Request


class Format(NamedTuple):
    """A format.

    Attributes:
        read: finds the images and annotations of a request; the second argument are the classes that the user gives,
            or those of the other splits of the set.
        has_splits: its source holds all splits, which are imported at once.
    """

    read: Callable[[Request, Classes | None], Parsed]
    has_splits: bool


def _splits_at_once(read: Callable[[Path], Parsed]) -> Format:
    return Format(lambda request, classes: read(request.source), True)


def _two_classes(read: Callable[[Path], Parsed]) -> Format:
    return Format(lambda request, classes: two_class_sets.read_two_classes(request, read), True)


FORMATS: dict[str, Format] = {  # `semseg/cli/imports.py` describes them
    "labelme": Format(lambda r, classes: labelme.parse(r.source, r.images_dir, r.line_width_px), False),
    "label-studio": Format(lambda r, classes: label_studio.parse(r.source, r.images_dir), False),
    "coco": Format(lambda r, classes: coco.parse(r.source, r.images_dir, r.order), False),
    "cvat": Format(lambda r, classes: cvat.parse(r.source, r.images_dir, r.line_width_px), False),
    "colors": Format(colors.read_colors, False),
    "class-masks": Format(lambda r, classes: class_masks.read_class_masks(r), False),
    "camvid": Format(lambda r, classes: camvid.read_camvid(r), True),
    "drive": _two_classes(drive.read_drive),
    "crackforest": _two_classes(crackforest.read_crackforest),
    "class-dict": _splits_at_once(class_dict.read_class_dict),
    **{name: _splits_at_once(partial(read_index_folders, layout)) for name, layout in INDEX_FOLDERS.items()},
    "voc": _splits_at_once(voc.read_voc),
    "yolo": _splits_at_once(yolo.read_yolo),
    "huggingface": Format(huggingface.read_saved_set, True),
}
