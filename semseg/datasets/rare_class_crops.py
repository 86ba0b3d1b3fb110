"""Crops around rare classes, for a share of the training samples."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmengine.logging import print_log
from mmseg.registry import DATASETS, TRANSFORMS

from semseg.config.tree import built_datasets
from semseg.datasets.class_counts import count_train_ids
from semseg.datasets.fast_transforms import FastRandomCrop
from semseg.errors import InvalidConfigError, InvalidDataError, InvalidInputError
from semseg.system.machine import num_cpus
from semseg.system.wording import listing

_LOADERS = ("LoadTrainIds", "LoadAnnotations")
_NUM_SHOWN = 6  # classes, in the log
_KEY = "rare_class"  # of a sample: the train id to crop around


@DATASETS.register_module()
class RareClassDataset:
    """Replace a share of the samples by images that hold a rare class, cropped around it.

    For such a sample, first a class c is drawn with probability p_c ∝ exp((1 - f_c) / T), where f_c is its share of the
    labelled pixels: with T = 0.01, classes below 1 % are drawn about equally often, and those above 5 % hardly ever.
    Then one of the images that hold the class is drawn, and RareClassCrop crops around it. All other samples are those
    of the wrapped set. The classes of the masks are counted once (`count_train_ids`).

    Source of formula and T: Hoyer, Dai and Van Gool, "DAFormer: Improving Network Architectures and Training
    Strategies for Domain-Adaptive Semantic Segmentation", CVPR 2022, section 3.3 (there for every sample).

    Args:
        dataset: the set to wrap, or its config; its pipeline needs RareClassCrop in place of RandomCrop, which
            `load_config` and `tools/train.py` replace. There may be other wrappers in between.
        share: of the samples that are drawn this way, above 0 and at most 1.
        temperature: T; with a larger one, less rare classes are drawn more often.
        min_pixels: an image holds a class if its mask has at least this many pixels of it; a class that no image
            holds in this sense is drawn from all images that have any pixel of it.
        lazy_init: count the masks later, in `full_init()`.

    Raises:
        ValueError: `share` or `temperature` is out of range, no pixel is labelled, or the pipeline loads no masks.
    """

    def __init__(
        self,
        dataset: Any,
        share: float = 0.5,
        temperature: float = 0.01,
        min_pixels: int = 100,
        lazy_init: bool = False,
    ) -> None:
        if not 0 < share <= 1:
            raise InvalidInputError(
                f"RareClassDataset: share is {share}; expected above 0 and at most 1", code="E-input-range"
            )
        if not temperature > 0:
            raise InvalidInputError(
                f"RareClassDataset: temperature is {temperature}; expected above 0", code="E-input-range"
            )
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.share, self.temperature, self.min_pixels = share, temperature, min_pixels
        self._metainfo = self.dataset.metainfo
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        """A copy of the metainfo of the wrapped set: classes, palette and so on."""
        return copy.deepcopy(self._metainfo)

    def full_init(self) -> None:
        """List the files of the wrapped set, and count the classes in their masks."""
        if self._fully_initialized:
            return
        self.dataset.full_init()
        self._parts = list(built_datasets(self.dataset))
        self._starts = np.cumsum([0, *map(len, self._parts)])
        counts = np.concatenate([_count_classes(part) for part in self._parts])
        pixels = counts.sum(axis=0)
        if not pixels.any():
            raise InvalidDataError(
                f"RareClassDataset: no pixel of {len(counts)} masks is labelled, so no class is rare",
                code="E-data-empty",
            )
        self._probabilities = rarity(pixels, self.temperature)
        enough = counts >= self.min_pixels
        enough[:, ~enough.any(axis=0)] = True
        self._holders = [np.flatnonzero(column) for column in (enough & (counts > 0)).T]
        self._fully_initialized = True
        self._log_probabilities()

    def get_data_info(self, index: int) -> dict:
        """Return the data info of a sample of the wrapped set."""
        return self.dataset.get_data_info(index)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict:
        """Return this sample, or in `share` of the calls another one that is cropped around a rare class.

        If the crop still holds the class, the `rare_class` of its data sample is the name of the class.
        """
        self.full_init()
        if np.random.random() >= self.share:
            return self.dataset[index]
        train_id = np.random.choice(len(self._probabilities), p=self._probabilities)
        row = int(np.random.choice(self._holders[train_id]))
        part = int(np.searchsorted(self._starts, row, side="right")) - 1
        info = self._parts[part].get_data_info(row - int(self._starts[part]))
        sample = self._parts[part].pipeline({**info, _KEY: train_id})
        if sample is None:  # a transform rejected it
            return self.dataset[index]
        if "data_samples" in sample and (sample["data_samples"].gt_sem_seg.data == train_id).any():
            sample["data_samples"].set_metainfo({_KEY: self._metainfo["classes"][train_id]})
        return sample

    def _log_probabilities(self) -> None:
        order = np.argsort(-self._probabilities)
        drawn = [i for i in order if self._probabilities[i] >= 0.005]
        named = [f"{self._metainfo['classes'][i]} {self._probabilities[i]:.0%}" for i in drawn]
        print_log(
            f"{self.share:.0%} of the samples are crops around a rare class: {listing(named, _NUM_SHOWN)}", "current"
        )


@TRANSFORMS.register_module()
class RareClassCrop(FastRandomCrop):
    """Crop around the class that a RareClassDataset drew; crop as RandomCrop does if it drew none.

    The crop is placed so that a random pixel of the class lies in the middle half of its height and width, as far as
    the border of the image allows. If resizing has removed the class, the crop is that of RandomCrop.

    Args:
        crop_size, cat_max_ratio, ignore_index: those of RandomCrop.
    """

    @cache_randomness
    def crop_bbox(self, results: dict) -> tuple[int, int, int, int]:
        """Return the borders of the crop: top, bottom, left, right."""
        train_id = results.get(_KEY)
        pixels = np.flatnonzero(results["gt_seg_map"] == train_id) if train_id is not None else ()
        if not len(pixels):
            return super().crop_bbox(results)
        shape = results["gt_seg_map"].shape
        pixel = np.unravel_index(np.random.choice(pixels), shape)
        borders = []
        for position, length, crop_length in zip(pixel, shape, self.crop_size, strict=True):
            start = int(position) - np.random.randint(crop_length // 4, crop_length - crop_length // 4)
            start = min(max(start, 0), max(length - crop_length, 0))
            borders += [start, start + crop_length]
        top, bottom, left, right = borders
        return top, bottom, left, right


def rarity(pixels: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probability of each class: exp((1 - share of the pixels) / temperature), normalised.

    Args:
        pixels: number of pixels of each class, shape (num_classes,); at least one is above 0.
        temperature: above 0.

    Returns:
        float64, shape (num_classes,); their sum is 1. A class without pixels has 0.
    """
    shares = pixels / pixels.sum()
    lowest = shares[pixels > 0].min()  # cancels out, and avoids an overflow of exp
    weights = np.where(pixels > 0, np.exp(np.minimum(0, (lowest - shares) / temperature)), 0)
    return weights / weights.sum()


def _count_classes(dataset: Any) -> np.ndarray:
    """Return the number of pixels of each class in every mask, read by the loader of the pipeline."""
    steps = dataset.pipeline.transforms
    loader = next((step for step in steps if type(step).__name__ in _LOADERS), None)
    if loader is None:
        raise InvalidConfigError(
            f"RareClassDataset: its pipeline has no {' or '.join(_LOADERS)} that loads masks", code="E-config-value"
        )
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]

    def log(num_masks: int) -> None:
        print_log(f"rare-class crops: counting the pixels of {num_masks} masks", "current")

    return count_train_ids(loader, infos, num_cpus(), on_read=log)[:, : len(dataset.metainfo["classes"])]
