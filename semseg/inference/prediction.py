"""Predictions: made from scores some rows at a time, and joined to whole images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import torch

from semseg.datasets.bands import Bands
from semseg.errors import InvalidInputError
from semseg.inference.row_bands import classify, entropy_of, probabilities_of
from semseg.labels import IGNORED

if TYPE_CHECKING:
    from semseg.inference.scoring import Scorer


class Prediction(NamedTuple):
    """What a model predicts for an image, or for some rows of it.

    All but the train ids are None unless they were requested.

    Attributes:
        train_ids: uint8, shape (height, width), in the size of the image that was given; 255 where it has no data.
        confidence: probability of the winning class, float32, shape (height, width), 0 to 1; 0 where the image has no
            data.
        probabilities: float16, shape (num_classes, height, width).
        doubt: 1 minus the probability of the winning class, float16, shape (height, width).
        entropy: how evenly the probability is spread over the classes, see `row_bands.entropy_of`, float16, shape
            (height, width).
        mass: sum of the probabilities of each class over the pixels, float64, shape (num_classes,).
    """

    train_ids: np.ndarray
    confidence: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    doubt: np.ndarray | None = None
    entropy: np.ndarray | None = None
    mass: np.ndarray | None = None


class Wanted(NamedTuple):
    """What is computed in addition to the train ids: see `Predictor.predict`."""

    confidence: bool = False
    probabilities: bool = False
    uncertainty: bool = False


class ImagePredictor(Protocol):
    """The interface of `Predictor`, which opens a checkpoint, and `ExportedPredictor`, for exported files."""

    @property
    def classes(self) -> Sequence[str]:
        """Names, in the order of their train ids."""
        ...

    @property
    def palette(self) -> Sequence:
        """Colours, RGB, shape (num_classes, 3)."""
        ...

    @property
    def exif(self) -> str:
        """What the model's data set does with EXIF orientation: `apply` or `ignore`."""
        ...

    @property
    def bits(self) -> int | None:
        """How many bits are in use of the 16 of a value, in photographs that store 16; None: what the file says."""
        ...

    @property
    def bands(self) -> Bands | None:
        """Which bands of a picture the model reads; None: it reads photographs."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """Sentences for the user."""
        ...

    @property
    def tile(self) -> int | None:
        """Side in pixels of the windows that images are cut into; None: whole images."""
        ...

    @property
    def has_probabilities(self) -> bool:
        """Whether its scores are probabilities or can become probabilities."""
        ...

    @property
    def gives_all_probabilities(self) -> bool:
        """Whether it returns the probabilities of every class, and not only that of the winning class."""
        ...

    def predict(
        self, images: Sequence[np.ndarray], *, confidence: bool = False, probabilities: bool = False
    ) -> list[Prediction]:
        """Segment images of one size: RGB, uint8, shape (height, width, 3); with `bands`, from `bands.read`."""
        ...


def check_image(image: np.ndarray, bands: Bands | None = None) -> None:
    """Raise unless an array is an image.

    Args:
        image: the array.
        bands: of a model that does not read RGB.

    Raises:
        ValueError: it is not RGB, uint8, shape (height, width, 3), or has no pixel; or the model has `bands`, and it is
            not float32, shape (height, width, channels).
    """
    if bands is not None:
        if image.dtype != np.float32 or image.ndim != 3 or image.shape[2] != bands.num_channels or not image.size:
            raise InvalidInputError(
                f"image of {image.dtype} {image.shape}; expected float32 (height, width, {bands.num_channels}) from"
                " `predictor.bands.read`",
                code="E-input-image",
            )
        return
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InvalidInputError(
            f"image of {image.dtype} {image.shape}; expected uint8 (height, width, 3)", code="E-input-image"
        )
    if not image.size:
        raise InvalidInputError(f"image of {image.dtype} {image.shape} holds no pixel", code="E-input-image")


def predict_from_scores(scores: torch.Tensor, scorer: Scorer, wanted: Wanted) -> Prediction:
    """Return the prediction that scores lead to.

    Args:
        scores: float32, shape (N, C, H, W).
        scorer: that computed them.
        wanted: what to compute in addition to the train ids.

    Returns:
        A prediction whose arrays have a first axis for the N images, see `split_images`.
    """
    train_ids = classify(scores, scorer.kind, scorer.threshold).cpu().numpy()
    if not any(wanted):
        return Prediction(train_ids)
    probabilities = probabilities_of(scores, scorer.probability_kind)
    if probabilities.shape[1] == 1:
        probabilities = torch.cat([1 - probabilities, probabilities], dim=1)
    top = probabilities.amax(dim=1).clamp_(max=1)  # rounding can make a mean over views larger than 1
    confidence = top.cpu().numpy() if wanted.confidence else None
    stored = probabilities.half().cpu().numpy() if wanted.probabilities else None
    if not wanted.uncertainty:
        return Prediction(train_ids, confidence, stored)
    doubt, entropy = (part.half().cpu().numpy() for part in (1 - top, entropy_of(probabilities)))
    mass = probabilities.sum(dim=(2, 3)).double().cpu().numpy()
    return Prediction(train_ids, confidence, stored, doubt, entropy, mass)


def without_nodata(prediction: Prediction, nodata: np.ndarray | None) -> Prediction:
    """Return a prediction in which pixels without data have train id 255, and confidence and probabilities of 0.

    Args:
        prediction: of an image; its `mass`, a sum over all pixels, stays as it is.
        nodata: True where the image has no data, bool, shape (height, width); None: nowhere.
    """
    if nodata is None:
        return prediction

    def zeroed(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else np.where(nodata, values.dtype.type(0), values)

    return Prediction(
        np.where(nodata, np.uint8(IGNORED), prediction.train_ids),
        zeroed(prediction.confidence),
        zeroed(prediction.probabilities),
        zeroed(prediction.doubt),
        zeroed(prediction.entropy),
        prediction.mass,
    )


def split_images(batch: Prediction) -> list[Prediction]:
    """Return the predictions of single images, from one whose arrays have a first axis for the images."""
    return [
        Prediction(
            batch.train_ids[index],
            *(None if values is None else values[index] for values in batch[1:]),
        )
        for index in range(len(batch.train_ids))
    ]


def join_bands(bands: Iterable[Prediction], size: tuple[int, int]) -> list[Prediction]:
    """Join rows of N images, from top to bottom.

    Args:
        bands: from `predict_from_scores`; at least one.
        size: of the images: height, width.

    Returns:
        A prediction per image.
    """
    maps: list[np.ndarray | None] = []
    mass: np.ndarray | None = None
    top = 0
    for band in bands:
        *band_maps, band_mass = band
        if not maps:
            maps = [None if part is None else np.empty((*part.shape[:-2], *size), part.dtype) for part in band_maps]
        rows = slice(top, top + band.train_ids.shape[1])
        for joined, part in zip(maps, band_maps, strict=True):
            if joined is not None and part is not None:
                joined[..., rows, :] = part
        if band_mass is not None:
            mass = band_mass if mass is None else mass + band_mass
        top = rows.stop
    return split_images(Prediction._make([*maps, mass]))
