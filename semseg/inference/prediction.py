"""What a model says of images: decided some rows at a time, and put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import torch

from semseg.errors import InvalidInputError
from semseg.inference.row_bands import classify, entropy_of, probabilities_of
from semseg.labels import IGNORED

if TYPE_CHECKING:
    from semseg.inference.scoring import Scorer


class Prediction(NamedTuple):
    """What a model says of an image, or of some rows of it.

    Attributes:
        train_ids: uint8, shape (height, width), in the size of the image that was given; 255 where it has no data.
        confidence: probability of the winning class, float32, shape (height, width), 0 to 1; 0 where the image has no
            data; if asked for.
        probabilities: float16, shape (num_classes, height, width); if asked for.
        doubt: 1 minus the probability of the winning class, float16, shape (height, width); if asked for, as the next
            two.
        entropy: how much the classes share each pixel, see `bands.entropy_of`, float16, shape (height, width).
        mass: sum of the probabilities of each class over the pixels, float64, shape (num_classes,).
    """

    train_ids: np.ndarray
    confidence: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    doubt: np.ndarray | None = None
    entropy: np.ndarray | None = None
    mass: np.ndarray | None = None


class Wanted(NamedTuple):
    """What is computed besides the train ids: see `Predictor.predict`."""

    confidence: bool = False
    probabilities: bool = False
    uncertainty: bool = False


class ImagePredictor(Protocol):
    """What segments images, whatever it was opened from: a checkpoint (`Predictor`) or a file (`OnnxPredictor`).

    Attributes:
        classes: names, in the order of their train ids.
        palette: RGB, shape (num_classes, 3).
        exif: what the set that it learnt from does with EXIF orientation: `apply` or `ignore`.
        bits: how many are in use of the 16 of a value, in photographs that store 16; None: what the file says.
        notes: lines for a person: what runs it, what had to be done.
        tile: side in pixels of the windows that images are cut into; None: whole images.
        has_probabilities: whether its scores are, or become, probabilities.
        gives_all_probabilities: whether it gives them for every class, and not for the winning one only.
    """

    classes: tuple[str, ...]
    palette: Sequence
    exif: str
    bits: int | None
    notes: Sequence[str]
    tile: int | None
    has_probabilities: bool
    gives_all_probabilities: bool

    def predict(
        self, images: Sequence[np.ndarray], *, confidence: bool = False, probabilities: bool = False
    ) -> list[Prediction]:
        """Segment images of one size: RGB, uint8, shape (height, width, 3)."""


def check_image(image: np.ndarray) -> None:
    """Refuse what is no image for a predictor.

    Raises:
        ValueError: it is not RGB, uint8, shape (height, width, 3), or has no pixel.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InvalidInputError(f"image of {image.dtype} {image.shape}; expected uint8 (height, width, 3)")
    if not image.size:
        raise InvalidInputError(f"image of {image.dtype} {image.shape} holds no pixel")


def decide(scores: torch.Tensor, scorer: Scorer, wanted: Wanted) -> Prediction:
    """Return what the scores say, float32, shape (N, C, H, W): a prediction with a first axis for the N images."""
    train_ids = classify(scores, scorer.kind, scorer.threshold).cpu().numpy()
    if not any(wanted):
        return Prediction(train_ids)
    likely = probabilities_of(scores, scorer.probability_kind)
    if likely.shape[1] == 1:
        likely = torch.cat([1 - likely, likely], dim=1)
    top = likely.amax(dim=1).clamp_(max=1)  # a mean over views may be rounded above
    sure = top.cpu().numpy() if wanted.confidence else None
    stored = likely.half().cpu().numpy() if wanted.probabilities else None
    if not wanted.uncertainty:
        return Prediction(train_ids, sure, stored)
    doubt, entropy = (part.half().cpu().numpy() for part in (1 - top, entropy_of(likely)))
    return Prediction(train_ids, sure, stored, doubt, entropy, likely.sum(dim=(2, 3)).double().cpu().numpy())


def without_nodata(prediction: Prediction, nodata: np.ndarray | None) -> Prediction:
    """Return a prediction that says nothing of pixels without data: 255, no confidence, no probability of any class.

    Args:
        prediction: of an image, without `mass`, which is a sum over all its pixels.
        nodata: True where the image has no data, bool, shape (height, width); None: nowhere.
    """
    if nodata is None:
        return prediction
    zeroed = [None if part is None else np.where(nodata, part.dtype.type(0), part) for part in prediction[1:-1]]
    train_ids = np.where(nodata, np.uint8(IGNORED), prediction.train_ids)
    return Prediction(train_ids, *zeroed, prediction.mass)


def join(bands: Iterable[Prediction], size: tuple[int, int]) -> list[Prediction]:
    """Put rows of N images, from top to bottom, together.

    Args:
        bands: from `decide`.
        size: of the images: height, width.

    Returns:
        A prediction per image.
    """
    whole, top = None, 0
    for band in bands:
        *maps, mass = band
        if whole is None:
            whole = [None if part is None else np.empty((*part.shape[:-2], *size), part.dtype) for part in maps]
            masses = None if mass is None else np.zeros_like(mass)
        rows = slice(top, top + band.train_ids.shape[1])
        for all_rows, part in zip(whole, maps, strict=True):
            if part is not None:
                all_rows[..., rows, :] = part
        if mass is not None:
            masses += mass
        top = rows.stop
    nothing = [None] * len(whole[0])
    return [Prediction(*parts) for parts in zip(*(nothing if k is None else k for k in (*whole, masses)), strict=True)]
