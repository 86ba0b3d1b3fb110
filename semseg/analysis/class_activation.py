"""Where a decision comes from: two heat maps of what speaks for a class in a region of a photograph."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import nn

from semseg.errors import InvalidInputError
from semseg.inference.predictor import Predictor
from semseg.inference.probabilities import decode_heads


class Cams(NamedTuple):
    """What speaks for a class in a region; each map reaches from 0 to 1, or is 0 all over if nothing does.

    Attributes:
        grad_cam: where in the photograph the features are that speak for it: what the region is taken for. Grad-CAM,
            Selvaraju et al. 2017: channels weighted by their mean gradient. float32, shape (height, width), 0 to 1.
        hires_cam: from where the score of the region comes: itself, or what lies around it. HiResCAM, Draelos and
            Carin 2020: features times the gradient at their own place. float32, shape (height, width), 0 to 1.
        layer: of the features, such as `backbone, output 3`.
    """

    grad_cam: np.ndarray
    hires_cam: np.ndarray
    layer: str


def require_grad_cam() -> None:
    """Raise ValueError with the command to install it where the library is missing."""
    try:
        import pytorch_grad_cam  # noqa: F401
    except ImportError:
        raise InvalidInputError(
            "Grad-CAM needs grad-cam, which is not installed: pip install -e '.[explain]'"
        ) from None


def explain_score(predictor: Predictor, image: np.ndarray, class_index: int, region: np.ndarray) -> Cams:
    """Show what speaks for a class in a region.

    The maps are taken of the deepest features that the decode head reads: the last stage of the backbone, or of
    the neck, also where it reads others beside them. Right before the classifier, a 1 x 1 convolution, Grad-CAM
    would only be the score of the class once more, whatever the region; what goes into the head has the head's
    context (pooling, dilation) still before it.

    The photograph has the size of the test pipeline and goes through the model in one piece, also where testing
    slides a window. Explained is the logit of the class, averaged over the region.

    Args:
        predictor: the model; its weights need no gradient and get none.
        image: RGB, uint8, shape (height, width, 3).
        class_index: train id of the class.
        region: bool, shape (height, width); at least one pixel.

    Raises:
        ValueError: the library is missing, the features are not a map, or a model that is tested by a sliding
            window takes no other size (fixed position embeddings).
    """
    require_grad_cam()
    from pytorch_grad_cam import GradCAM, HiResCAM
    from pytorch_grad_cam.utils.model_targets import SemanticSegmentationTarget

    model = predictor.model
    data = model.data_preprocessor(predictor.batch(image), False)
    inputs, meta = data["inputs"], data["data_samples"][0].metainfo
    left, _, top, _ = meta.get("img_padding_size", meta.get("padding_size", (0, 0, 0, 0)))
    height, width = meta["img_shape"][:2]
    inside = np.s_[top : top + height, left : left + width]

    mask = np.zeros(tuple(inputs.shape[2:]), np.float32)
    mask[inside] = cv2.resize(region.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    mask *= mask.size / mask.sum()  # not 1 / sum: the library adds 1e-7 where it divides by the largest value
    channel = class_index
    if model.out_channels == 1:  # one score for the second class, and against the first
        channel, mask = 0, mask if class_index else -mask
    found = []
    for method in (GradCAM, HiResCAM):
        with _Tapped(model, inputs.shape[2:], meta) as scored:
            try:
                cam = method(scored, [scored.tap])(inputs, [SemanticSegmentationTarget(channel, mask)])[0]
            except RuntimeError as error:
                if model.test_cfg.get("mode") != "slide":
                    raise
                raise InvalidInputError(
                    f"the model, tested by a sliding window, does not take {width} x {height} pixels in one piece, as "
                    f"Grad-CAM needs it ({error})"
                ) from None
        found.append(cv2.resize(cam[inside], (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR))
    return Cams(*found, scored.layer)


class _Tapped(nn.Module):
    """A segmentor whose features pass through `tap`, and which gives its scores alone.

    Nothing before the tap takes part in the gradient, so that a large photograph needs no more memory there than
    for a prediction.
    """

    def __init__(self, model: nn.Module, size: torch.Size, meta: dict) -> None:
        super().__init__()
        self.model = model
        self.tap = nn.Identity()
        self._metas = [{**meta, "img_shape": size, "pad_shape": tuple(size)}]
        self._indices = [i for head in decode_heads(model) for i in np.atleast_1d(head.in_index).tolist()]
        self.layer = ""

    def __enter__(self) -> _Tapped:
        source = "neck" if self.model.with_neck else "backbone"
        self._handle = getattr(self.model, source).register_forward_hook(
            lambda module, args, features: self._pass_through_tap(source, features)
        )
        return self

    def __exit__(self, *_: Any) -> None:
        self._handle.remove()

    def _pass_through_tap(self, source: str, features: Any) -> list:
        features = list(features)
        index = max(i % len(features) for i in self._indices)
        chosen = features[index]
        if not isinstance(chosen, torch.Tensor) or chosen.ndim != 4:
            raise InvalidInputError(f"output {index} of the {source} is not one map of features; Grad-CAM needs one")
        self.layer = f"{source}, output {index}"
        # a copy goes on: the head may overwrite it
        features[index] = self.tap(chosen.detach().requires_grad_()).clone()
        return features

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.model.encode_decode(inputs, self._metas)
