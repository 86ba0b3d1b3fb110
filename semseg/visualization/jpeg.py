"""Pictures for people, as JPEG: one quality everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from semseg.system.atomic import atomic_path

QUALITY = 90


def save_jpeg(picture: np.ndarray, path: Path) -> None:
    """Write a picture, atomically; colour is not subsampled, so that thin lines keep theirs.

    Args:
        picture: RGB, uint8, shape (height, width, 3), or grey, shape (height, width).
        path: of the file.
    """
    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, "JPEG", quality=QUALITY, subsampling=0)
