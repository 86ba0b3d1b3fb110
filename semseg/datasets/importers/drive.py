"""DRIVE: retinal photographs, the vessels in them, and the field of view of the camera.

Source: Staal et al., "Ridge-based vessel segmentation in color images of the retina", IEEE Transactions on Medical
Imaging 23 (2004).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from semseg.datasets.image_files import listed, most_frequent, read_mask, stored_values
from semseg.datasets.importers.parsed import Annotated, Parsed
from semseg.datasets.importers.two_class_sets import DecodedMask, describe_left_out, parsed_set
from semseg.datasets.roi import is_inverted
from semseg.errors import InvalidDataError, MissingDataError
from semseg.system.folders import IMAGE_SUFFIXES

_PARTS = {"training": ("training",), "test": ("test", "testing")}  # names of their folders
_IMAGES, _TRUTH, _VIEW = "images", "1st_manual", "mask"
_VAL_SHARE = 5  # the last of so many parts of the training pictures
_NUMBER = re.compile(r"(\d+)(?!\d)")  # at the beginning of a name


def read_drive(source: Path) -> Parsed:
    """Find the pictures of DRIVE.

    Args:
        source: the folder with `training` and `test` (or `testing`), each with `images` (21_training.tif), `1st_manual`
            (21_manual1.gif) and `mask` (21_training_mask.gif). Files belong together by their number.

    Returns:
        The last fifth of the training pictures is `val`. Photographs without truth are left out.

    Raises:
        FileNotFoundError: folders or fields of view are missing.
        ValueError: two files of a folder have the same number.
    """
    annotated, notes = [], []
    for part, names in _PARTS.items():
        folder = next((source / name for name in names if (source / name / _IMAGES).is_dir()), None)
        if folder is None:
            if part == "training":
                raise MissingDataError(
                    f"no folder {source / part / _IMAGES}; give the folder of DRIVE, which holds training and test",
                    code="E-data-missing",
                )
            notes.append("there is no folder test, so the set has no test split")
            continue
        images, truths, views = (_by_number(folder / name) for name in (_IMAGES, _TRUTH, _VIEW))
        notes += describe_left_out([images[number] for number in images if number not in truths])
        labelled = [number for number in images if number in truths]
        if missing := [images[number] for number in labelled if number not in views]:
            raise MissingDataError(
                f"{len(missing)} photographs have no field of view in {folder / _VIEW}, first {missing[0]}",
                code="E-data-missing",
            )
        first_val = len(labelled) - max(1, len(labelled) // _VAL_SHARE) if part == "training" else len(labelled)
        for place, number in enumerate(labelled):
            split = "val" if place >= first_val else "train" if part == "training" else "test"
            path, mask = images[number], DecodedMask(truths[number], read_vessels)
            annotated.append(Annotated(path.stem, (path,), None, mask=mask, split=split, roi_path=views[number]))
        if part == "training" and first_val:
            val = [images[number].stem for number in labelled[first_val:]]
            notes.insert(0, f"val is the last fifth of the training pictures, {val[0]} to {val[-1]}; train is the rest")
    if not any(image.split == "train" for image in annotated):
        raise InvalidDataError(
            f"{source}: fewer than two training photographs with truth; look at {source / 'training' / _TRUTH}",
            code="E-data-empty",
        )
    return parsed_set("DRIVE", "vessel", annotated, notes)


def read_vessels(path: Path) -> np.ndarray:
    """Return the train ids of a truth: uint8, shape (height, width); it stores 0 for background, 1 or 255 for vessels.

    Raises:
        ValueError: it holds other values.
    """
    image = read_mask(path)
    values = stored_values(image, str(path))
    found = most_frequent(*np.unique(values, return_counts=True))
    if not (found.keys() <= {0, 255} or found.keys() <= {0, 1}) or is_inverted(image):
        raise InvalidDataError(
            f"{path} holds {listed(found)}; expected a truth of black (0) and white", code="E-data-mask-values"
        )
    return (values != 0).astype(np.uint8)


def _by_number(folder: Path) -> dict[int, Path]:
    """Return the pictures of a folder by the number at the beginning of their names, in its order."""
    numbered: dict[int, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = _NUMBER.match(path.name)
        if match is None or path.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        number = int(match[1])
        if number in numbered:
            raise InvalidDataError(
                f"{numbered[number]} and {path} have the same number; remove one of them", code="E-data-pairs"
            )
        numbered[number] = path
    return dict(sorted(numbered.items()))
