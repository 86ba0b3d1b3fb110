"""Samples of a labelled set, as the network receives them or as they are stored."""

from __future__ import annotations

import copy
import random
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from semseg.config.tree import built_datasets
from semseg.datasets.band_statistics import describe_bands
from semseg.datasets.band_transforms import bands_of
from semseg.datasets.bands import Bands, swap_channels
from semseg.datasets.dataset_file import DatasetFile, read_dataset_file
from semseg.datasets.image_files import read_bands, read_image
from semseg.datasets.masks import decode_pair
from semseg.datasets.pairs import Pair, find_pairs
from semseg.errors import InvalidConfigError, InvalidDataError, InvalidInputError
from semseg.labels import IGNORED
from semseg.visualization.drawing import Sample

_PADDING_GREY = 116  # models pad with 0 after normalising, the mean colour; that of ImageNet is close to this


class Selection(NamedTuple):
    """Some samples of a set.

    Attributes:
        samples: in the order of the set.
        num_all: how many the set has.
        classes: names, in the order of their train ids.
        palette: RGB, shape (num_classes, 3).
    """

    samples: list[Sample]
    num_all: int
    classes: Sequence[str]
    palette: Sequence


def from_config(cfg: Config, split: str, num_samples: int, seed: int = 0) -> Selection:
    """Take samples from the set of a dataloader, through its pipeline.

    Args:
        cfg: from `load_config`; not changed.
        split: train, val or test.
        num_samples: at most this many.
        seed: of the choice and of the augmentation.

    Raises:
        ValueError: the config has no such dataloader, or `num_samples` is below 1.
    """
    loader = cfg.get(f"{split}_dataloader")
    if loader is None:
        raise InvalidConfigError(
            f"the config has no {split}_dataloader, so it has no samples of split {split}", code="E-config-key"
        )
    init_default_scope(cfg.get("default_scope", "mmseg"))
    dataset = DATASETS.build(copy.deepcopy(loader.dataset))
    return from_dataset(dataset, num_samples, seed, padded_size(cfg) if split == "train" else None)


def padded_size(cfg: Config) -> tuple[int, int] | None:
    """Return the height and width to which the model pads its training pictures; None if it does not pad."""
    return cfg.model.get("data_preprocessor", {}).get("size")


def from_dataset(dataset: Any, num_samples: int, seed: int = 0, size: tuple[int, int] | None = None) -> Selection:
    """Take samples from a set that MMSegmentation has built; the global random state is not changed.

    Args:
        dataset: its items hold `inputs` (BGR, shape (channels, height, width)) and `data_samples`.
        num_samples: at most this many.
        seed: of the choice and of the augmentation.
        size: height and width to pad to.

    Raises:
        ValueError: `num_samples` is below 1.
    """
    indices = _choose(len(dataset), num_samples, seed)
    with _temporary_seed(seed):
        bands = bands_of(next(built_datasets(dataset)))
        samples = [as_sample(dataset[i], size, bands) for i in indices]
    return Selection(samples, len(dataset), dataset.metainfo["classes"], dataset.metainfo["palette"])


def from_dataset_file(path: str | Path, split: str, num_samples: int, seed: int = 0) -> Selection:
    """Take pairs from the set of a dataset.yaml, as they are stored.

    Raises:
        FileNotFoundError, ValueError: as in `read_dataset_file`, `find_pairs` and `decode_pair`; or image and mask of a
            pair differ in size; or `num_samples` is below 1.
    """
    rules = read_dataset_file(path)
    pairs = find_pairs(rules, split).pairs
    bands = describe_bands(rules) if rules.bands is not None else None
    samples = [read_sample(pairs[i], rules, bands) for i in _choose(len(pairs), num_samples, seed)]
    return Selection(samples, len(pairs), rules.classes, rules.palette)


def read_sample(pair: Pair, rules: DatasetFile, bands: Bands | None = None) -> Sample:
    """Read a pair of the set of a dataset.yaml, as it is stored.

    Args:
        pair: of the set.
        rules: of the set.
        bands: with which a picture is shown, in a set that has `bands`; pixels without data are ignored, as in a
            training.

    Raises:
        FileNotFoundError, ValueError: as in `decode_pair`; or image and mask differ in size.
    """
    nodata = None
    if bands is None:
        image = read_image(pair.image_path, rules.exif, rules.bits)
    else:
        picture = read_bands(pair.image_path, bands, rules.exif)
        image, nodata = bands.show(picture.image), picture.nodata
    train_ids = decode_pair(*pair, rules)
    if image.shape[:2] != train_ids.shape:
        (height, width), (mask_height, mask_width) = image.shape[:2], train_ids.shape
        raise InvalidDataError(
            f"{pair.mask_path} is {mask_width}x{mask_height}, its image {pair.image_path} is {width}x{height}; masks"
            " are drawn at the size of their image",
            code="E-data-size",
        )
    if nodata is not None:
        train_ids = np.where(nodata, np.uint8(IGNORED), train_ids)
    return Sample(image, train_ids, pair.image_path.name)


def _choose(num_all: int, num_samples: int, seed: int) -> list[int]:
    if num_samples < 1:
        raise InvalidInputError(f"the number of samples is 1 or more, got {num_samples}", code="E-input-range")
    if not num_all:
        raise InvalidDataError("the set is empty: there is no sample to show", code="E-data-empty")
    chosen = np.random.default_rng(seed).choice(num_all, min(num_samples, num_all), replace=False)
    return sorted(map(int, chosen))


@contextmanager
def _temporary_seed(seed: int) -> Generator[None]:
    """Seed the generators that transforms use, and restore their states afterwards."""
    states = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    try:
        random.seed(seed)
        np.random.seed(seed)
        torch.random.default_generator.manual_seed(seed)  # torch.manual_seed would seed the GPUs too
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.random.set_rng_state(states[2])


def as_sample(item: dict, size: tuple[int, int] | None, bands: Bands | None = None) -> Sample:
    """Turn an item of a dataset (see `from_dataset`) into a picture with its target, padded to `size`.

    Args:
        item: of the dataset.
        size: height and width to pad to.
        bands: of a set whose pictures are not RGB.
    """
    inputs, data_sample = item["inputs"], item["data_samples"]
    if bands is not None:
        image = bands.show(swap_channels(inputs.numpy().transpose(1, 2, 0)))
    else:
        image = np.ascontiguousarray(inputs.numpy()[2::-1].transpose(1, 2, 0))  # to RGB
    image = np.clip(image, 0, 255).astype(np.uint8)
    if image.shape[2] == 1:
        image = np.repeat(image, 3, axis=2)
    if "gt_sem_seg" in data_sample:
        train_ids = data_sample.gt_sem_seg.data.squeeze(0).numpy().astype(np.uint8)
    else:
        train_ids = np.full(image.shape[:2], IGNORED, np.uint8)
    if train_ids.shape != image.shape[:2]:  # in a test pipeline the target is not resized
        train_ids = cv2.resize(train_ids, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    if size is not None:
        padding = [(0, max(0, padded - length)) for padded, length in zip(size, train_ids.shape, strict=True)]
        image = np.pad(image, [*padding, (0, 0)], constant_values=_PADDING_GREY)
        train_ids = np.pad(train_ids, padding, constant_values=IGNORED)
    name = Path(data_sample.img_path).name
    rare_class = data_sample.get("rare_class")  # the class that RareClassDataset cropped around
    return Sample(image, train_ids, name if rare_class is None else f"{rare_class}: {name}")
