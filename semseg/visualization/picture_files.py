"""Write pictures for people; JPEG has one quality everywhere."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

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
    save_picture(picture, path, format="JPEG", quality=QUALITY, subsampling=0)


def save_picture(picture: np.ndarray, path: Path, **options: Any) -> None:
    """Write a picture, atomically, in the format of the suffix.

    Args:
        picture: RGB or RGBA, uint8, shape (height, width, 3 or 4), or grey, shape (height, width).
        path: of the file.
        options: of Pillow's `save`.

    Raises:
        ValueError: Pillow knows no such suffix.
    """
    content = encode_picture(Image.fromarray(picture), path.suffix, **options)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def encode_picture(picture: Image.Image, suffix: str, **options: Any) -> bytes:
    """Return the bytes of a picture file. They are made in memory: errors of Pillow's own writing name no cause."""
    encoded = io.BytesIO()
    encoded.name = f"picture{suffix}"  # pyrefly: ignore[missing-attribute] Pillow reads the format from it
    picture.save(encoded, **options)
    return encoded.getvalue()
