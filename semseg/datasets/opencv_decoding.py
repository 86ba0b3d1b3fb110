"""Decode an image file by OpenCV."""

from __future__ import annotations

import cv2
import numpy as np


def decode_by_opencv(content: bytes, flags: int) -> np.ndarray | None:
    """Return the pixels of an image file as `cv2.imdecode` does; None if it cannot be decoded.

    OpenCV raises an error for sizes above 2**20 pixels in a row or column, also of a damaged header.
    """
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        return None
