"""The masks of MMSegmentation's `inference_model`, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from semseg.config.options import STOCK
from semseg.errors import InvalidInputError
from semseg.inference.options import SegmenterOptions
from semseg.inference.prediction import Prediction, Wanted, check_image, predict_from_scores, split_images
from semseg.inference.predictor import Predictor

_OTHERS = ("tta", "tile", "compile")  # options that change what the model computes


class StockPredictor(Predictor):
    """A predictor whose train ids are those of MMSegmentation, bit for bit.

    Each image goes alone and whole through the `test_step` of the unchanged model, in fp32. `Predictor` fuses batch
    norms, uses another memory layout and resizes scores in bands, which rounds in another order: a pixel whose two best
    scores are nearly equal may get the other class.
    """

    is_stock = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, precision="fp32", **options)

    def predict(
        self,
        images: Sequence[np.ndarray],
        *,
        confidence: bool = False,
        probabilities: bool = False,
        uncertainty: bool = False,
    ) -> list[Prediction]:
        """Segment images, as `Predictor.predict` does; images that do not fit into memory are an error."""
        wanted = Wanted(confidence, probabilities, uncertainty)
        return [self._predict_one(image, wanted) for image in images]

    @torch.inference_mode()
    def _predict_one(self, image: np.ndarray, wanted: Wanted) -> Prediction:
        check_image(image, self.bands)
        scores, train_ids = self.scores(image)
        if not any(wanted):
            return Prediction(train_ids)
        if self._scorer.kind == "binary":  # the probability of the second class
            scores = scores.logit(eps=1e-7)
        (prediction,) = split_images(predict_from_scores(scores[None], self._scorer, wanted))
        return prediction._replace(train_ids=train_ids)


def check_stock(options: SegmenterOptions) -> None:
    """Check that no option excludes `performance='stock'`.

    Raises:
        ValueError: `precision` is neither auto nor fp32, or an option is given that changes what the model computes,
            or that has no effect.
    """
    others = [name for name in _OTHERS if getattr(options, name)]
    if options.precision not in ("auto", "fp32"):
        others.insert(0, "precision")
    if others:
        raise InvalidInputError(
            f"`performance` {STOCK} predicts as MMSegmentation does, in fp32, and `{others[0]}`"
            f" {getattr(options, others[0])} would change that: leave one of them out",
            code="E-input-conflict",
        )
    if options.overlap != SegmenterOptions.overlap:
        raise InvalidInputError(
            f"`overlap` {options.overlap} has no effect with `performance` {STOCK}, which segments images whole: leave"
            " it out",
            code="E-input-no-effect",
        )
