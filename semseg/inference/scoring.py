"""Scores of the pixels of images, some rows at a time; the values are those that MMSegmentation computes.

Shapes: N images, C classes, H rows, W columns.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from semseg.compat.input_sizes import divisor_of_model
from semseg.datasets.bands import swap_channels
from semseg.errors import InvalidInputError
from semseg.inference.precision import autocast
from semseg.inference.probabilities import kind_of_scores
from semseg.inference.row_bands import crop_bands, probabilities_of, resize_bands, rows_at_once
from semseg.inference.tiles import blend_windows


def parse_views(tta: str | None) -> tuple[tuple[bool, ...], tuple[float, ...]]:
    """Parse the views of test time augmentation; `flip,0.75,1` are four views.

    Returns:
        Whether images are flipped, for each view of a scale; the scales.

    Raises:
        ValueError: something else than `flip` and numbers above 0.
    """
    words = [word.strip() for word in (tta or "").split(",") if word.strip()]
    try:
        scales = tuple(float(word) for word in words if word != "flip")
    except ValueError:
        scales = (0.0,)
    if not all(0 < scale < float("inf") for scale in scales) or (tta is not None and not words):
        raise InvalidInputError(
            f"`tta` {tta!r}: expected 'flip', scales above 0, or both, as in 'flip,0.75,1,1.25'", code="E-input-views"
        )
    return (False, True) if "flip" in words else (False,), scales or (1.0,)


class ImageWindows(Protocol):
    """An image of which windows are read when they are needed, such as a `TiffImage`."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, 3."""
        ...

    def __getitem__(self, where: tuple[slice, slice], /) -> np.ndarray:
        """Return some rows and columns: RGB, uint8, shape (H, W, 3)."""
        ...


class Scorer:
    """Compute the scores of every class at every pixel, of one view of an image or as the mean over several views.

    Args:
        model: a segmentor of MMSegmentation, from `make_fast`. A segmentor that is no EncoderDecoder scores whole
            images only, with its `test_step`.
        pipeline: from BGR arrays to what the model's data preprocessor takes.
        precision: that `make_fast` got.
        flips: of the views: not flipped, or not flipped and flipped horizontally.
        scales: of the views.

    Attributes:
        kind: of the scores, see `probabilities_of`.
        threshold: of the second class, if one channel decides between two classes.
        pipeline: may be replaced.
        network: from inputs, shape (N, 3, H, W), and their metas to scores; may be replaced, see `compile_network`.
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
        self._model: Any = model  # nn.Module does not declare the attributes of segmentors
        self._precision = precision
        self._views = [(scale, flip) for scale in scales for flip in flips]
        heads = getattr(model, "decode_head", None)
        self._head: Any = heads[-1] if isinstance(heads, nn.ModuleList) else heads
        self._device = next(model.parameters()).device
        self.threshold: float | None = getattr(self._head, "threshold", None)
        has_several_views = len(self._views) > 1
        # not at the top of the file: the import prints warnings unless compat.repair() was called before
        from mmseg.models.decode_heads.decode_head import BaseDecodeHead
        from mmseg.models.segmentors import EncoderDecoder

        self._in_parts = isinstance(model, EncoderDecoder)
        if has_several_views and not self._in_parts:
            raise InvalidInputError(
                f"`tta`: {type(model).__name__} is no EncoderDecoder, whose views could be averaged",
                code="E-input-model",
            )
        self._is_plain = (
            isinstance(model, EncoderDecoder)
            and divisor_of_model(model) is None  # else encode_decode may have to pad
            and type(model).encode_decode is EncoderDecoder.encode_decode
            and isinstance(self._head, BaseDecodeHead)
            and type(self._head).predict is BaseDecodeHead.predict
            and type(self._head).predict_by_feat is BaseDecodeHead.predict_by_feat
        )
        self.network = self._network
        self.kind = (
            "probabilities" if has_several_views else "binary" if getattr(model, "out_channels", 0) == 1 else "softmax"
        )

    @property
    def probability_kind(self) -> str:
        """How the scores become probabilities, see `probabilities_of`.

        Raises:
            ValueError: the scores of this model cannot become probabilities.
        """
        return self.kind if self.kind == "probabilities" else kind_of_scores(self._model)

    @property
    def has_probabilities(self) -> bool:
        """Whether the scores can become probabilities."""
        with contextlib.suppress(ValueError):
            return bool(self.probability_kind)
        return False

    def size_of(self, image: np.ndarray) -> tuple[int, int]:
        """Return the height and width of an image after the pipeline."""
        height, width = self._run_pipeline(image)["inputs"].shape[1:]
        return height, width

    def whole(self, images: Sequence[np.ndarray], window: float | None, overlap: float) -> Iterator[torch.Tensor]:
        """Score images as in a test.

        Args:
            images: RGB, uint8, shape (H, W, 3), all of one size.
            window: side of square windows that the result of the pipeline is cut into, to save memory; None: as the
                model's `test_cfg` says, whole or in windows.
            overlap: of those windows, see `tiled`.

        Yields:
            float32, shape (N, C, some rows, W), from top to bottom, in the size of the images.
        """
        data = [self._run_pipeline(image) for image in images]
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

    def tiled(self, images: Sequence[np.ndarray | ImageWindows], tile: int, overlap: float) -> Iterator[torch.Tensor]:
        """Score images window by window; the pipeline runs on each window separately.

        Args:
            images: all of one size.
            tile: side of the square windows.
            overlap: share of a window that the next one covers, too, 0 to below 1; weights increase over it.

        Yields:
            As `whole`.
        """

        def scores_of(top: int, bottom: int, left: int, right: int) -> torch.Tensor:
            parts = [image[top:bottom, left:right] for image in images]
            return torch.cat(list(self.whole(parts, math.inf, 0.0)), dim=2)

        stride = max(1, round(tile * (1 - overlap)))
        size = (images[0].shape[0], images[0].shape[1])
        return blend_windows(scores_of, size, (tile, tile), (stride, stride), smooth=True)

    def _network(self, inputs: torch.Tensor, metas: list[dict]) -> torch.Tensor:
        """Return scores in the resolution of the head if only resizing follows it, else in that of the inputs."""
        if self._is_plain:
            return self._head(self._model.extract_feat(inputs))
        return self._model.encode_decode(inputs, metas)

    def _run_pipeline(self, image: np.ndarray) -> dict:
        return self.pipeline(dict(img=swap_channels(image)))  # the pipelines expect BGR

    def _view(
        self, data: list[dict], scale: float, flip: bool, window: float | None, overlap: float
    ) -> Iterator[torch.Tensor]:
        """Score one view of images, as EncoderDecoder.predict does, some rows at a time.

        The scores have the size of the images, and are flipped back.
        """
        samples = [item["data_samples"].clone() for item in data]
        views = [_make_view(item["inputs"], scale, flip) for item in data]
        for sample, view in zip(samples, views, strict=True):
            sample.set_metainfo(dict(img_shape=tuple(view.shape[1:])))
        batch = self._model.data_preprocessor(dict(inputs=views, data_samples=samples), False)
        inputs, meta = batch["inputs"], batch["data_samples"][0].metainfo
        input_size, image_size = (inputs.shape[2], inputs.shape[3]), (meta["ori_shape"][0], meta["ori_shape"][1])
        windows = self._windows(input_size, window, overlap)
        if windows is None:
            scores = self._scores(inputs)
            bands, size = iter([scores]), (scores.shape[2], scores.shape[3])
        else:
            bands, size = blend_windows(lambda *box: self._window(inputs, *box), input_size, *windows), input_size
        align_corners = self._model.align_corners
        num_rows = rows_at_once(len(inputs), self._model.out_channels, max(input_size[1], image_size[1]), self._device)
        if size != input_size:
            bands = resize_bands(bands, size, input_size, align_corners, num_rows)
        left, right, top, bottom = meta.get("img_padding_size", meta.get("padding_size", (0, 0, 0, 0)))
        size = (input_size[0] - top - bottom, input_size[1] - left - right)
        bands = crop_bands(bands, (left, right, top, bottom), size)
        if flip:
            bands = (band.flip(3) for band in bands)
        return resize_bands(bands, size, image_size, align_corners, num_rows)

    def _windows(
        self, input_size: tuple[int, int], window: float | None, overlap: float
    ) -> tuple[tuple[int, int], tuple[int, int], bool] | None:
        """Return `window`, `stride` and `smooth` for `blend_windows`; None: the whole input is scored at once."""
        test_cfg = self._model.test_cfg
        if window is None and test_cfg.get("mode", "whole") == "slide":
            return tuple(test_cfg.crop_size), tuple(test_cfg.stride), False
        if window is not None and window < max(input_size):
            side, stride = int(window), max(1, round(window * (1 - overlap)))
            return (side, side), (stride, stride), True
        return None

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
        """Return scores, float32, in the resolution of `network`."""
        size = tuple(inputs.shape[2:])
        metas = [dict(ori_shape=size, img_shape=size, pad_shape=size, padding_size=[0] * 4) for _ in inputs]
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with autocast(self._precision, self._device):
            return self.network(inputs, metas).float().contiguous()


def _make_view(image: torch.Tensor, scale: float, flip: bool) -> torch.Tensor:
    """Scale and flip the result of the pipeline, uint8, shape (3, H, W), or float32 with any number of channels."""
    if scale != 1:
        height, width = (max(1, round(side * scale)) for side in image.shape[1:])
        rescaled = cv2.resize(image.permute(1, 2, 0).numpy(), (width, height), interpolation=cv2.INTER_LINEAR)
        rescaled = rescaled.reshape(height, width, -1)  # OpenCV drops the axis of one channel
        image = torch.from_numpy(rescaled).permute(2, 0, 1).contiguous()
    return image.flip(2) if flip else image
