"""The data of a trial: a batch of the training and the largest picture of the validation, also with smaller sides."""

from __future__ import annotations

import copy
import math
import random
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import mmcv
import numpy as np
import torch
from mmengine.structures import PixelData
from PIL import Image

from semseg.config.tree import built_datasets
from semseg.datasets.stored_bands import read_header

_SIZES = ("ori_shape", "img_shape", "pad_shape")  # in the metainfo of a sample
_NUM_READERS = 16  # threads; reading headers needs no computation, only waiting


class Loaded(NamedTuple):
    """A batch, and the time that it took.

    Attributes:
        batch: collated as by the run's own dataloader.
        seconds: for one sample, in this process; the median.
    """

    batch: dict
    seconds: float


class Largest(NamedTuple):
    """The picture for which a validation needs the most memory.

    Attributes:
        index: in its set.
        path: of its file; a description if the set does not know the path.
        size: width, height, of the file.
        mean_share: mean number of pixels of the pictures in the set, as a share of this picture's.
    """

    index: int
    path: str
    size: tuple[int, int]
    mean_share: float


def load_batch(dataloader: Any, indices: Sequence[int], seed: int) -> Loaded:
    """Load samples with the pipeline of a dataloader, without its workers and its sampler.

    Args:
        dataloader: of a Runner.
        indices: of the samples; those beyond its batch size are only timed.
        seed: of the random numbers of its transforms.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.random.default_generator.manual_seed(seed)  # torch.manual_seed would seed every GPU too
    samples, times = [], []
    for index in indices:
        start = time.perf_counter()
        samples.append(dataloader.dataset[index])
        times.append(time.perf_counter() - start)
    batch = dataloader.collate_fn(samples[: batch_size_of(dataloader)])
    return Loaded(batch, float(np.median(times)))


def batch_size_of(dataloader: Any) -> int:
    """Return the batch size of a dataloader, or of its batch sampler."""
    return dataloader.batch_size or getattr(dataloader.batch_sampler, "batch_size", 1)


def find_largest(dataset: Any) -> Largest:
    """Find the picture with the most pixels, in its file and as the network sees it; only headers are read."""
    if not hasattr(dataset, "get_data_info"):
        return Largest(0, "the first picture", (0, 0), 1.0)
    paths = [str(dataset.get_data_info(i).get("img_path")) for i in range(len(dataset))]
    with warnings.catch_warnings(), ThreadPoolExecutor(_NUM_READERS) as pool:
        warnings.simplefilter("ignore")  # DecompressionBombWarning: large pictures are allowed
        sizes = list(pool.map(_size_in_header, paths))
    num_pixels = [width * height + _resized_pixels(dataset, width, height) for width, height in sizes]
    index = int(np.argmax(num_pixels))
    return Largest(index, paths[index], sizes[index], float(np.mean(num_pixels)) / max(1, num_pixels[index]))


def halved(batch: dict) -> dict:
    """Return a copy of a batch with every second row and column: a quarter of the pixels."""
    return _sliced(batch, slice(None, None, 2), slice(None, None, 2))


def corner(batch: dict, size: Sequence[int]) -> dict:
    """Return a copy of a batch with the upper left corners of its pictures; `size` is height, width."""
    return _sliced(batch, slice(size[0]), slice(size[1]))


def half_size(size: Sequence[int]) -> tuple[int, int]:
    """Return half of a height and width, rounded up."""
    return math.ceil(size[0] / 2), math.ceil(size[1] / 2)


def _sliced(batch: dict, rows: slice, columns: slice) -> dict:
    batch = copy.deepcopy(batch)
    before = batch["inputs"][0].shape[-2:]
    batch["inputs"] = [picture[..., rows, columns] for picture in batch["inputs"]]
    shares = [now / whole for now, whole in zip(batch["inputs"][0].shape[-2:], before, strict=True)]
    for sample in batch["data_samples"]:
        for key in _SIZES:
            if key in sample.metainfo:
                sides = zip(sample.metainfo[key], shares, strict=False)
                sample.set_metainfo({key: tuple(max(1, round(side * share)) for side, share in sides)})
        for name, field in list(sample.items()):
            if isinstance(field, PixelData):
                sample.set_data({name: PixelData(**{key: plane[..., rows, columns] for key, plane in field.items()})})
    return batch


def _size_in_header(path: str) -> tuple[int, int]:
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, Image.DecompressionBombError):  # no local file, or damaged, or with `bands`
        pass
    try:
        header = read_header(Path(path), "ignore")
        return header.width, header.height
    except ValueError:  # the pipeline will report it
        return 0, 0


def _resized_pixels(dataset: Any, width: int, height: int) -> int:
    """Return the number of pixels after the `Resize` of a test pipeline."""
    first = next(built_datasets(dataset))
    for step in getattr(getattr(first, "pipeline", None), "transforms", ()):
        if type(step).__name__ == "Resize" and width and height:
            scale = step.scale
            if scale is None:
                scale = (round(width * step.scale_factor[0]), round(height * step.scale_factor[1]))
            elif step.keep_ratio:
                scale = mmcv.rescale_size((width, height), scale)
            return scale[0] * scale[1]
    return width * height


def shorten_path(path: str) -> str:
    """Replace the middle of a long path by an ellipsis."""
    parts = Path(path).parts
    return path if len(parts) < 5 else str(Path(*parts[:2], "…", parts[-1]))
