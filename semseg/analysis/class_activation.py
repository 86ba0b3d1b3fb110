"""Compute class activation maps: which pixels of a photograph support a class in a region."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import cv2
import numpy as np
import torch
from torch import nn

from semseg.errors import InvalidInputError
from semseg.inference.predictor import Predictor
from semseg.inference.probabilities import decode_heads


class Cams(NamedTuple):
    """Two maps of the evidence for a class in a region; the maximum of a map is 1, or 0 if there is no evidence.

    Attributes:
        grad_cam: where in the photograph features of this class are. Grad-CAM, Selvaraju et al. 2017: channels
            weighted by their mean gradient. float32, shape (height, width), 0 to 1.
        hires_cam: which pixels contribute to the score of the region: the region itself, or its surroundings.
            HiResCAM, Draelos and Carin 2020: features times the gradient at the same pixel. float32, shape
            (height, width), 0 to 1.
        layer: of the features, such as `backbone, output 3`.
    """

    grad_cam: np.ndarray
    hires_cam: np.ndarray
    layer: str


def require_grad_cam() -> None:
    """Raise a ValueError with the command to install the library if it is missing."""
    try:
        import pytorch_grad_cam  # noqa: F401
    except ImportError:
        raise InvalidInputError(
            "Grad-CAM needs grad-cam, which is not installed: pip install -e '.[explain]'", code="E-input-package"
        ) from None


def explain_score(predictor: Predictor, image: np.ndarray, class_index: int, region: np.ndarray) -> Cams:
    """Compute which pixels support the score of a class in a region.

    The maps are computed from the deepest features that the decode head reads: the last stage of the backbone, or of
    the neck, even if the head reads earlier stages, too. On the features right before the classifier, a 1 x 1
    convolution, Grad-CAM would equal the score of the class, for any region. The input of the head comes before
    the head adds context (pooling, dilation), so its maps depend on the region.

    The photograph is resized by the test pipeline and passes the model as a whole, even if testing uses a sliding
    window. The explained value is the logit of the class, averaged over the region.

    Args:
        predictor: the model; its weights need no gradient and get none.
        image: RGB, uint8, shape (height, width, 3).
        class_index: train id of the class.
        region: bool, shape (height, width); at least one pixel.

    Raises:
        ValueError: the library is missing, the features are not a map, or a model that is tested with a sliding
            window accepts no other size (fixed position embeddings).
    """
    require_grad_cam()
    from pytorch_grad_cam import GradCAM, HiResCAM
    from pytorch_grad_cam.utils.model_targets import SemanticSegmentationTarget

    model: Any = predictor.model
    data = model.data_preprocessor(predictor.batch(image), False)
    inputs, meta = data["inputs"], data["data_samples"][0].metainfo
    left, _, top, _ = meta.get("img_padding_size", meta.get("padding_size", (0, 0, 0, 0)))
    height, width = meta["img_shape"][:2]
    inside = np.s_[top : top + height, left : left + width]

    mask = np.zeros(tuple(inputs.shape[2:]), np.float32)
    mask[inside] = cv2.resize(region.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    mask *= (
        mask.size / mask.sum()
    )  # not 1 / sum: the library adds 1e-7 before it divides by the maximum, so values must not be tiny
    channel = class_index
    if model.out_channels == 1:  # one score: for the second class, and its negative for the first
        channel, mask = 0, mask if class_index else -mask
    maps = []
    layer = ""
    for method in (GradCAM, HiResCAM):
        with _TappedModel(model, inputs.shape[2:], meta) as scored:
            try:
                targets = cast(Any, [SemanticSegmentationTarget(channel, mask)])  # the library annotates modules
                cam = method(scored, [scored.tap])(inputs, targets)[0]
            except RuntimeError as error:
                if model.test_cfg.get("mode") != "slide":
                    raise
                raise InvalidInputError(
                    f"the model is tested with a sliding window and does not accept {width} x {height} pixels as a "
                    f"whole, which Grad-CAM needs ({error})",
                    code="E-input-grad-cam",
                ) from None
        layer = scored.layer
        maps.append(cv2.resize(cam[inside], (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR))
    grad_cam, hires_cam = maps
    return Cams(grad_cam, hires_cam, layer)


class _TappedModel(nn.Module):
    """A segmentor whose features pass through the module `tap`, and whose output is its scores.

    Gradients stop at the tap: the layers before it need no more memory than for a prediction.
    """

    def __init__(self, model: Any, size: torch.Size, meta: dict) -> None:
        super().__init__()
        self.model: Any = model
        self.tap = nn.Identity()
        self._metas = [{**meta, "img_shape": size, "pad_shape": tuple(size)}]
        self._indices = [i for head in decode_heads(model) for i in np.atleast_1d(cast(Any, head.in_index)).tolist()]
        self.layer = ""

    def __enter__(self) -> _TappedModel:
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
            raise InvalidInputError(
                f"output {index} of the {source} is not one map of features, which Grad-CAM needs",
                code="E-input-grad-cam",
            )
        self.layer = f"{source}, output {index}"
        # the head gets a copy, because it may modify its input
        features[index] = self.tap(chosen.detach().requires_grad_()).clone()
        return features

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.model.encode_decode(inputs, self._metas)
