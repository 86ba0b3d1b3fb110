"""From images to the scores of their pixels, some rows at a time, as MMSegmentation computes them all at once.

Shapes: N images, C classes, H rows, W columns.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from semseg.errors import InvalidInputError
from semseg.inference.precision import autocast
from semseg.inference.probabilities import kind_of_scores
from semseg.inference.row_bands import probabilities_of, resized, rows_at_once, without_padding
from semseg.inference.tiles import blended


def parse_views(tta: str | None) -> tuple[tuple[bool, ...], tuple[float, ...]]:
    """Return whether images are flipped, and their scales: `flip,0.75,1` are four views.

    Raises:
        ValueError: something else than `flip` and numbers above 0.
    """
    words = [word.strip() for word in (tta or "").split(",") if word.strip()]
    try:
        scales = tuple(float(word) for word in words if word != "flip")
    except ValueError:
        scales = (0.0,)
    if not all(0 < scale < float("inf") for scale in scales) or (tta is not None and not words):
        raise InvalidInputError(f"tta {tta!r}: expected 'flip', scales above 0, or both, as in 'flip,0.75,1,1.25'")
    return (False, True) if "flip" in words else (False,), scales or (1.0,)


class Scorer:
    """Score every class at every pixel of images, by one view of them or by the mean over several.

    Args:
        model: a segmentor of MMSegmentation, from `made_fast`; of those that are no EncoderDecoder, whatever their
            `test_step` says is taken, whole pictures only.
        pipeline: from BGR arrays to what the model's data preprocessor takes.
        precision: that `made_fast` got.
        flips: of the views: not, or not and then horizontally.
        scales: of the views.

    Attributes:
        kind: of the scores, see `probabilities_of`.
        threshold: of the second class, where one channel decides between two.
        pipeline: may be replaced.
        network: from inputs, shape (N, 3, H, W), and their metas to scores; may be replaced, see `compiled`.
    """

    def __init__(
        self,
        model: nn.Module,
        pipeline: Callable[[dict], dict],
        precision: str,
        flips: Sequence[bool],
        scales: Sequence[float],
    ) -> None:
        self.pipeline = pipeline
        self._model = model
        self._precision = precision
        self._views = [(scale, flip) for scale in scales for flip in flips]
        heads = getattr(model, "decode_head", None)
        self._head = heads[-1] if isinstance(heads, nn.ModuleList) else heads
        self._device = next(model.parameters()).device
        self.threshold = getattr(self._head, "threshold", None)
        several = len(self._views) > 1
        # not at the top: importing them prints, until the stack is repaired
        from mmseg.models.decode_heads.decode_head import BaseDecodeHead
        from mmseg.models.segmentors import EncoderDecoder

        self._in_parts = isinstance(model, EncoderDecoder)
        if several and not self._in_parts:
            raise InvalidInputError(f"tta: {type(model).__name__} is no EncoderDecoder, whose views could be averaged")
        self._is_plain = (
            self._in_parts
            and type(model).encode_decode is EncoderDecoder.encode_decode
            and isinstance(self._head, BaseDecodeHead)
            and type(self._head).predict is BaseDecodeHead.predict
            and type(self._head).predict_by_feat is BaseDecodeHead.predict_by_feat
        )
        self.network = self._network
        self.kind = "probabilities" if several else "binary" if getattr(model, "out_channels", 0) == 1 else "softmax"

    @property
    def probability_kind(self) -> str:
        """How the scores become probabilities.

        Raises:
            ValueError: this model has none.
        """
        return self.kind if self.kind == "probabilities" else kind_of_scores(self._model)

    @property
    def has_probabilities(self) -> bool:
        with contextlib.suppress(ValueError):
            return bool(self.probability_kind)
        return False

    def size_of(self, image: np.ndarray) -> tuple[int, int]:
        """Return height and width of what the model gets of an image."""
        return tuple(self._through_pipeline(image)["inputs"].shape[1:])

    def whole(self, images: Sequence[np.ndarray], window: float | None, overlap: float) -> Iterator[torch.Tensor]:
        """Score images as in a test.

        Args:
            images: RGB, uint8, shape (H, W, 3), all of one size.
            window: side of square windows in what the pipeline makes of an image, for want of memory; None: as
                the model's `test_cfg` says, whole or in windows.
            overlap: of those windows, see `tiled`.

        Yields:
            float32, shape (N, C, some rows, W), from top to bottom, in the size of the images.
        """
        data = [self._through_pipeline(image) for image in images]
        if not self._in_parts:
            yield self._whole_by_test_step(data)
            return
        views = [self._view(data, scale, flip, window, overlap) for scale, flip in self._views]
        if len(views) == 1:
            yield from views[0]
            return
        kind = kind_of_scores(self._model)
        for bands in zip(*views, strict=True):
            total = probabilities_of(bands[0], kind)
            for band in bands[1:]:
                total += probabilities_of(band, kind)
            yield total / len(bands)

    def tiled(self, images: Sequence[np.ndarray], tile: int, overlap: float) -> Iterator[torch.Tensor]:
        """Score images window by window; each goes through the pipeline by itself.

        Args:
            images: as for `whole`, or what can be cut like them.
            tile: side of the square windows.
            overlap: share of a window that the next one covers, too, 0 to below 1; weights grow over it.

        Yields:
            As `whole`.
        """

        def scores_of(top: int, bottom: int, left: int, right: int) -> torch.Tensor:
            parts = [image[top:bottom, left:right] for image in images]
            return torch.cat(list(self.whole(parts, math.inf, 0.0)), dim=2)

        stride = max(1, round(tile * (1 - overlap)))
        return blended(scores_of, tuple(images[0].shape[:2]), (tile, tile), (stride, stride), smooth=True)

    def _network(self, inputs: torch.Tensor, metas: list[dict]) -> torch.Tensor:
        """Run the network; scores stay in the resolution of the head if nothing but resizing follows it."""
        if self._is_plain:
            return self._head(self._model.extract_feat(inputs))
        return self._model.encode_decode(inputs, metas)

    def _through_pipeline(self, image: np.ndarray) -> dict:
        return self.pipeline(dict(img=np.ascontiguousarray(image[:, :, ::-1])))  # the pipelines expect BGR

    def _view(
        self, data: list[dict], scale: float, flip: bool, window: float | None, overlap: float
    ) -> Iterator[torch.Tensor]:
        """Score one view of images, in their own size and the right way round: EncoderDecoder.predict, by rows."""
        samples = [item["data_samples"].clone() for item in data]
        inputs = [_seen(item["inputs"], scale, flip) for item in data]
        for sample, image in zip(samples, inputs, strict=True):
            sample.set_metainfo(dict(img_shape=tuple(image.shape[1:])))
        data = self._model.data_preprocessor(dict(inputs=inputs, data_samples=samples), False)
        inputs, meta = data["inputs"], data["data_samples"][0].metainfo
        seen_size, own_size = tuple(inputs.shape[2:]), tuple(meta["ori_shape"][:2])
        test_cfg = self._model.test_cfg
        if window is None and test_cfg.get("mode", "whole") == "slide":
            windows = (tuple(test_cfg.crop_size), tuple(test_cfg.stride), False)
        elif window is not None and window < max(seen_size):
            windows = ((window, window), (max(1, round(window * (1 - overlap))),) * 2, True)
        else:
            windows = None
        if windows is None:
            scores = self._scores(inputs)
            bands, size = iter([scores]), tuple(scores.shape[2:])
        else:
            bands, size = blended(lambda *box: self._window(inputs, *box), seen_size, *windows), seen_size
        align_corners = self._model.align_corners
        num_rows = rows_at_once(len(inputs), self._model.out_channels, max(seen_size[1], own_size[1]), self._device)
        if size != seen_size:
            bands = resized(bands, size, seen_size, align_corners, num_rows)
        left, right, top, bottom = meta.get("img_padding_size", meta.get("padding_size", (0, 0, 0, 0)))
        size = (seen_size[0] - top - bottom, seen_size[1] - left - right)
        bands = without_padding(bands, (left, right, top, bottom), size)
        if flip:
            bands = (band.flip(3) for band in bands)
        return resized(bands, size, own_size, align_corners, num_rows)

    def _whole_by_test_step(self, data: list[dict]) -> torch.Tensor:
        keys = ("inputs", "data_samples")
        with autocast(self._precision, self._device):
            samples = self._model.test_step({key: [item[key] for item in data] for key in keys})
        return torch.stack([sample.seg_logits.data for sample in samples]).float()

    def _window(self, inputs: torch.Tensor, top: int, bottom: int, left: int, right: int) -> torch.Tensor:
        scores = self._scores(inputs[:, :, top:bottom, left:right])
        size = (bottom - top, right - left)
        return functional.interpolate(scores, size, mode="bilinear", align_corners=self._model.align_corners)

    def _scores(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the scores of the decode head, float32, in its own resolution if it lets them be seen."""
        size = tuple(inputs.shape[2:])
        metas = [dict(ori_shape=size, img_shape=size, pad_shape=size, padding_size=[0] * 4) for _ in inputs]
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with autocast(self._precision, self._device):
            return self.network(inputs, metas).float().contiguous()


def _seen(image: torch.Tensor, scale: float, flip: bool) -> torch.Tensor:
    """Return a view of what the pipeline made of an image, shape (3, H, W)."""
    if scale != 1:
        height, width = (max(1, round(side * scale)) for side in image.shape[1:])
        rescaled = cv2.resize(image.permute(1, 2, 0).numpy(), (width, height), interpolation=cv2.INTER_LINEAR)
        image = torch.from_numpy(rescaled).permute(2, 0, 1).contiguous()
    return image.flip(2) if flip else image
