"""A segmentor that can be exported as one graph: photographs in, the class of every pixel out."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from torch import Tensor, nn

from semseg.config.tree import inner_datasets
from semseg.datasets.bands import LOADER
from semseg.datasets.photographs import PHOTOGRAPH_LOADERS
from semseg.errors import InvalidInputError
from semseg.inference.probabilities import kind_of_scores
from semseg.labels import IGNORED

_TRUTH = ("LoadAnnotations", "LoadTrainIds")
_IN_UNITS = 2048  # OpenCV's weights of 8-bit bilinear resizing are integers, in units of 1/2048


class Traceable(nn.Module):
    """A network with everything between a photograph and its prediction.

    It resizes as the test pipeline does, reorders and normalizes the channels, pads, runs the model, resizes the scores
    to the size of the photograph, and chooses the winning class.

    Args:
        model: the segmentor of a `Predictor` in fp32; copied.
        cfg: that it was built from; its test pipeline says how photographs are resized.
        dtype: of the network; scores become float32 before they are resized and compared.

    Raises:
        ValueError: the model or its pipeline has steps that cannot be part of the graph.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, cfg: Config, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.kind = kind_of_scores(model)
        self.scale, self.keep_ratio = _resizing(inner_datasets(cfg.test_dataloader.dataset)[0])
        prepare: Any = model.data_preprocessor
        self.padding: dict[str, Any] = dict(prepare.test_cfg or {})
        self.pad_value: float = prepare.pad_val
        copied: Any = copy.deepcopy(model).cpu().to(memory_format=torch.contiguous_format)
        if copied.with_auxiliary_head:
            del copied.auxiliary_head  # only used in training
        _replace_pooling(copied)
        _replace_window_reverse(copied)
        self.model: Any = copied.to(dtype)
        self.dtype = dtype
        # pipelines give BGR; the input of this graph is RGB
        self.swaps_channels = not prepare._channel_conversion
        normalizes = prepare._enable_normalize
        self.register_buffer("mean", prepare.mean.float().cpu() if normalizes else torch.zeros(3, 1, 1))
        self.register_buffer("std", prepare.std.float().cpu() if normalizes else torch.ones(3, 1, 1))

    @property
    def slides(self) -> bool:
        """Whether it uses sliding windows, whose number depends on the size of the photograph."""
        return self.model.test_cfg.get("mode", "whole") == "slide"

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Segment photographs.

        Args:
            images: RGB, uint8, shape (N, 3, height, width).

        Returns:
            Train ids, uint8, shape (N, height, width), 255 where the scores are NaN or infinite; the probability of
            that class, float32, the same shape, 0 to 1.
        """
        height, width = images.shape[2:]
        inputs = images.flip(1) if self.swaps_channels else images
        if self.scale is not None:
            inputs = resize_like_opencv(inputs, *self._resized_size(self.scale, height, width))
        inputs = ((inputs.float() - self.mean) / self.std).to(self.dtype)
        resized_height, resized_width = inputs.shape[2:]
        inputs = self._pad(inputs)
        scores = self._slide(inputs) if self.slides else self._score(inputs)
        scores = scores[:, :, :resized_height, :resized_width]
        scores = F.interpolate(scores.float(), (height, width), mode="bilinear", align_corners=self.model.align_corners)
        if self.kind == "binary":
            second = scores[:, 0].sigmoid()
            train_ids = (second > self.model.decode_head.threshold).to(torch.uint8)
            return _where_finite(scores[:, 0], train_ids), torch.maximum(second, 1 - second)
        top = scores.amax(dim=1)
        if self.kind == "sigmoid":
            confidence = top.sigmoid() / scores.sigmoid().sum(dim=1)
        else:
            confidence = 1 / (scores - top[:, None]).exp().sum(dim=1)
        return _where_finite(top, scores.argmax(dim=1).to(torch.uint8)), confidence

    def _pad(self, inputs: Tensor) -> Tensor:
        """Pad at the right and below, as SegDataPreProcessor does in tests."""
        if not self.padding:
            return inputs
        size: Any = self.padding.get("size")
        divisor: int = self.padding.get("size_divisor") or 1
        sides = inputs.shape[2:]
        if size is not None:
            added = [torch.sym_max(0, wanted - side) for wanted, side in zip(size, sides, strict=True)]
        else:
            added = [(divisor - side % divisor) % divisor for side in sides]
        return F.pad(inputs, (0, added[1], 0, added[0]), value=self.pad_value)

    def _resized_size(self, scale: tuple[int, int], height: int, width: int) -> tuple[int, int]:
        """Return height and width after the test pipeline, by MMCV's rule, with integer arithmetic.

        Args:
            scale: of the pipeline: width, height.
            height: of the photograph.
            width: of the photograph.
        """
        if not self.keep_ratio:
            return scale[1], scale[0]
        long_px, short_px = torch.sym_max(height, width), torch.sym_min(height, width)

        def resized(side_px: int) -> Any:  # rounds half up; the smaller of the two factors is used
            by_long = (2 * side_px * max(scale) + long_px) // (2 * long_px)
            return torch.sym_min(by_long, (2 * side_px * min(scale) + short_px) // (2 * short_px))

        return _as_symbol(resized(height)), _as_symbol(resized(width))

    def _score(self, inputs: Tensor) -> Tensor:
        size = tuple(inputs.shape[2:])
        return self.model.encode_decode(inputs, [dict(img_shape=size, pad_shape=size, ori_shape=size)])

    def _slide(self, inputs: Tensor) -> Tensor:
        """Average over overlapping windows, as MMSegmentation does; the size must be fixed."""
        height, width = inputs.shape[2:]
        (tall, wide), (down, along) = self.model.test_cfg.crop_size, self.model.test_cfg.stride
        total: Any = 0
        count = torch.zeros(1, 1, height, width)
        for row in range(max(height - tall + down - 1, 0) // down + 1):
            for column in range(max(width - wide + along - 1, 0) // along + 1):
                bottom, right = min(row * down + tall, height), min(column * along + wide, width)
                top, left = max(bottom - tall, 0), max(right - wide, 0)
                edges = (left, width - right, top, height - bottom)
                window = inputs[:, :, top:bottom, left:right]
                total = total + F.pad(self._score(window).float(), edges)
                count = count + F.pad(torch.ones(1, 1, bottom - top, right - left), edges)
        return total / count


class ExplicitPooling(nn.Module):
    """nn.AdaptiveAvgPool2d as two matrix products, which can be exported for every size and format."""

    def __init__(self, size: int | Sequence[int | None] | None) -> None:
        super().__init__()
        self.size = (size, size) if size is None or isinstance(size, int) else tuple(size)

    def forward(self, features: Tensor) -> Tensor:
        rows, columns = (_bins(features.shape[axis], self.size[axis - 2], features.dtype) for axis in (2, 3))
        return torch.matmul(torch.matmul(rows, features), columns.transpose(0, 1))


def _bins(length: int, num_bins: int | None, dtype: torch.dtype) -> Tensor:
    """Return the weight of each position in each bin, shape (num_bins, length); PyTorch's bins may overlap by one."""
    num_bins = length if num_bins is None else num_bins
    index, position = torch.arange(num_bins)[:, None], torch.arange(length)[None]
    start, end = index * length // num_bins, ((index + 1) * length + num_bins - 1) // num_bins
    return ((position >= start) & (position < end)).to(dtype) / (end - start).to(dtype)


def _replace_pooling(module: nn.Module) -> None:
    """Replace adaptive pooling by `ExplicitPooling`. Modifies `module`."""
    for name, child in module.named_children():
        if isinstance(child, nn.AdaptiveAvgPool2d):
            setattr(module, name, ExplicitPooling(child.output_size))
        else:
            _replace_pooling(child)


def _replace_window_reverse(model: nn.Module) -> None:
    """Replace Swin's `window_reverse`, which computes the number of images with floats. Modifies `model`."""
    for module in model.modules():
        if hasattr(module, "window_reverse"):
            attention: Any = module
            attention.window_reverse = functools.partial(_join_windows, attention.window_size)


def _join_windows(window_size: int, windows: Tensor, height: int, width: int) -> Tensor:
    """Put windows together to images.

    Args:
        window_size: side of a window.
        windows: shape (number of windows of all images, window_size, window_size, channels).
        height: of an image.
        width: of an image.

    Returns:
        Shape (number of images, height, width, channels).
    """
    rows, columns = height // window_size, width // window_size
    num_images = windows.shape[0] // (rows * columns)
    windows = windows.view(num_images, rows, columns, window_size, window_size, -1)
    return windows.permute(0, 1, 3, 2, 4, 5).reshape(num_images, height, width, -1)


def resize_like_opencv(images: Tensor, height: int, width: int) -> Tensor:
    """Resize bilinearly, with exactly the same values as OpenCV for uint8.

    OpenCV truncates intermediate values that other libraries round, which is 0.12 grey levels darker on average.

    Args:
        images: uint8, shape (N, channels, any height, any width).
        height: of the result.
        width: of the result.

    Returns:
        int32, 0 to 255.
    """
    left, right, left_units, right_units = _neighbours(images.shape[3], width, clamps=True)
    top, bottom, top_units, bottom_units = _neighbours(images.shape[2], height, clamps=False)
    images = images.to(torch.int32)
    rows = images.index_select(3, left) * left_units + images.index_select(3, right) * right_units
    rows = rows // 16
    above = rows.index_select(2, top) * top_units[:, None] // 65536
    below = rows.index_select(2, bottom) * bottom_units[:, None] // 65536
    return (above + below + 2) // 4


def _neighbours(length: int, new_length: int, clamps: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return for each new position the two old positions around it, and their weights in units of 1/2048.

    A position beyond the edge is replaced by the edge. OpenCV clamps the exact position along a row (`clamps`); along a
    column it clamps the two neighbours, and so uses the edge twice.
    """
    exact = (torch.arange(new_length, dtype=torch.float64) + 0.5) * length / new_length - 0.5
    exact = exact.to(torch.float32)
    if clamps:
        exact = exact.clamp(0, length - 1)
    first = exact.floor()
    second_units = ((exact - first) * _IN_UNITS).round().to(torch.int32)
    first = first.to(torch.int64)
    ends = (first.clamp(0, length - 1), (first + 1).clamp(0, length - 1))
    return *ends, _IN_UNITS - second_units, second_units


def _as_symbol(length: int) -> int:
    """Replace the formula of a symbolic length by a new symbol: tracing formulas through every layer takes minutes."""
    if isinstance(length, int):
        return length
    symbol: Any = torch.scalar_tensor(length, dtype=torch.int64).item()
    torch._check(symbol >= 2)
    return symbol


def _where_finite(best: Tensor, train_ids: Tensor) -> Tensor:
    """Return train ids, and 255 where the best score is NaN or infinite; a comparison with NaN is false."""
    return torch.where(best.abs() <= torch.finfo(torch.float32).max, train_ids, IGNORED)


def _resizing(dataset: Config) -> tuple[tuple[int, int] | None, bool]:
    """Return the scale (width, height) of the test pipeline, and whether it keeps the aspect ratio."""
    scale, keep_ratio = None, False
    if dataset.pipeline[0].type == LOADER:
        raise InvalidInputError(
            f"the model reads bands {list(dataset.pipeline[0].bands)}, and exported models take photographs of three"
            " channels of 8 bits; use the checkpoint itself",
            code="E-input-export",
        )
    for step in dataset.pipeline:
        if step.type == "Resize" and step.get("scale") is not None and scale is None:
            if step.get("interpolation", "bilinear") != "bilinear" or step.get("backend", "cv2") != "cv2":
                raise InvalidInputError(
                    "the test pipeline does not resize bilinearly by OpenCV, which alone is exported",
                    code="E-input-export",
                )
            scale, keep_ratio = tuple(step.scale), step.get("keep_ratio", False)
        elif step.type not in (*PHOTOGRAPH_LOADERS, "PackSegInputs", *_TRUTH):
            raise InvalidInputError(
                f"the test pipeline has a step {step.type}, which is not exported; exported are one Resize to a scale,"
                " and the data_preprocessor",
                code="E-input-export",
            )
    return scale, keep_ratio
