"""The result of a `Segmenter` for one image."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from semseg.inference.outputs import class_shares
from semseg.system.objects.addresses import Address
from semseg.visualization import drawing


@dataclass(frozen=True)
class Segmentation:
    """An image and its segmentation.

    Attributes:
        image: RGB, uint8, shape (height, width, 3).
        train_ids: index of the class of each pixel, uint8, shape (height, width), 0 to num_classes - 1; 255 where the
            image has no data: transparent pixels, and those with the value of GDAL_NODATA.
        confidence: probability of that class, float32, shape (height, width), 0 to 1, 0 where the image has no data;
            None if it was not requested, or the model has no probabilities.
        probabilities: of each class, float16, shape (num_classes, height, width), 0 to 1; None if not requested.
        classes: names, in the order of their train ids.
        palette: RGB, uint8, shape (num_classes, 3).
        path: of the image; None if the image was no file.

    Example:
        >>> from semseg import Segmenter
        >>> result = Segmenter("best.pth", device="cpu")("street.jpg", probabilities=True)
        >>> result.classes[:2], result.probabilities.shape
        (('road', 'sidewalk'), (19, 96, 128))
        >>> result.confidence.shape, result.train_ids.dtype
        ((96, 128), dtype('uint8'))
        >>> largest = max(result.shares(), key=result.shares().get)
        >>> largest in result.classes
        True
    """

    image: np.ndarray
    train_ids: np.ndarray
    confidence: np.ndarray | None
    probabilities: np.ndarray | None
    classes: tuple[str, ...]
    palette: np.ndarray
    path: Path | Address | None = None

    def overlay(self, opacity: float = 0.6) -> np.ndarray:
        """Blend class colours over the image.

        Args:
            opacity: share of the colours, 0 to 1.

        Returns:
            RGB, uint8, shape (height, width, 3).
        """
        return drawing.overlay(self.image, self.train_ids, self.palette.tolist(), opacity)

    def _repr_png_(self) -> bytes:
        """Return the overlay and its legend as a PNG, which notebooks show."""
        picture = drawing.add_legend(self.overlay(), self.train_ids, self.classes, self.palette.tolist())
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        return file.getvalue()

    def shares(self) -> dict[str, float]:
        """Return the share of the pixels with data that each class has, 0 to 1, in the order of the train ids."""
        return dict(zip(self.classes, class_shares(self.train_ids, len(self.classes)).tolist(), strict=True))
