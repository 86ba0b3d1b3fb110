"""CrackForest: photographs of pavement, and the cracks in them, in files of MATLAB.

Source: Shi et al., "Automatic Road Crack Detection Using Random Structured Forests", IEEE Transactions on Intelligent
Transportation Systems 17 (2016).
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from semseg.datasets.importers.parsed import Annotated, Parsed
from semseg.datasets.importers.two_class_sets import DecodedMask, describe_left_out, parsed_set
from semseg.errors import InvalidDataError, MissingDataError
from semseg.system.folders import TRAINING_SUFFIXES

_IMAGES, _TRUTH = "image", "groundTruth"
_KEY, _FIELD = "groundTruth", "Segmentation"
_CRACK = 2
_READ_ERRORS = (  # of a damaged file, a later format, or other content
    *(OSError, EOFError, ValueError, TypeError, KeyError, IndexError, NotImplementedError),
    *(MatReadError, struct.error, zlib.error),
)
_DIVISION = ("train",) * 6 + ("val",) + ("test",) * 3  # of ten pictures in a row


def read_crackforest(source: Path) -> Parsed:
    """Find the pictures of CrackForest.

    Args:
        source: the folder with `image` (001.jpg) and `groundTruth` (001.mat).

    Returns:
        There is no published division. Of every ten pictures, in the order of their names, the first six are `train`,
        the next one is `val`, and the last three are `test`. Photographs without truth are left out.

    Raises:
        FileNotFoundError: folders or photographs are missing.
    """
    for folder in (source / _IMAGES, source / _TRUTH):
        if not folder.is_dir():
            raise MissingDataError(
                f"no folder {folder}; give the folder of CrackForest, which holds {_IMAGES} and {_TRUTH}",
                code="E-data-missing",
            )
    images = {
        path.stem: path for path in sorted((source / _IMAGES).iterdir()) if path.suffix.lower() in TRAINING_SUFFIXES
    }
    truths = {path.stem: path for path in sorted((source / _TRUTH).iterdir()) if path.suffix.lower() == ".mat"}
    if missing := [path for name, path in truths.items() if name not in images]:
        raise MissingDataError(
            f"{len(missing)} truths have no photograph in {source / _IMAGES}, first {missing[0]}", code="E-data-missing"
        )
    if not truths:
        raise MissingDataError(f"no .mat file in {source / _TRUTH}", code="E-data-missing")
    annotated = [
        Annotated(
            name, (images[name],), None, mask=DecodedMask(path, read_cracks), split=_DIVISION[place % len(_DIVISION)]
        )
        for place, (name, path) in enumerate(truths.items())
    ]
    notes = [
        "there is no published division: of every ten pictures by name, six are train, one is val, three are test",
        *describe_left_out([path for name, path in images.items() if name not in truths]),
        "value 2 is crack; higher values are areas that cracks enclose, and background as 1 is",
    ]
    return parsed_set("CrackForest", "crack", annotated, notes)


def read_cracks(path: Path) -> np.ndarray:
    """Return the train ids of a truth: uint8, shape (height, width); 1 where `groundTruth.Segmentation` is 2.

    The field numbers the regions of the picture: 1 is the background, 2 the cracks. Higher numbers are parts of the
    background that cracks enclose: they are as light as the background around them.

    Raises:
        ValueError: it is not such a file of MATLAB.
    """
    try:
        regions = loadmat(path, variable_names=[_KEY])[_KEY][_FIELD][0, 0]
    except _READ_ERRORS as error:
        raise InvalidDataError(
            f"{path} is not a file of MATLAB with {_KEY}.{_FIELD} ({error})", code="E-data-unreadable"
        ) from error
    if not isinstance(regions, np.ndarray) or regions.ndim != 2 or regions.dtype.kind not in "uif":
        raise InvalidDataError(f"{path}: {_KEY}.{_FIELD} is no array of two dimensions", code="E-data-unreadable")
    if not regions.size or regions.min() < 1 or (regions != np.round(regions)).any():
        raise InvalidDataError(
            f"{path}: {_KEY}.{_FIELD} holds values that are not 1, 2 and so on; expected 1 for background and 2 for"
            " crack",
            code="E-data-mask-values",
        )
    return (regions == _CRACK).astype(np.uint8)
