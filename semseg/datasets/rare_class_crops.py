"""Crops around rare classes, for a share of the training samples."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmengine.logging import print_log
from mmseg.datasets.transforms import RandomCrop
from mmseg.registry import DATASETS, TRANSFORMS

from semseg.config.tree import built_datasets
from semseg.datasets.class_index import index_classes
from semseg.errors import InvalidDataError

_LOADERS = ("LoadTrainIds", "LoadAnnotations")
_SHOWN = 6  # classes, in the log
_KEY = "rare_class"  # of a sample: the train id that its crop is to hold


@DATASETS.register_module()
class RareClassDataset:
    """Replace a share of the samples by images that hold a rare class, cropped around it.

    Such a sample begins with a class c, drawn with probability p_c ∝ exp((1 - f_c) / T), where f_c is its share
    of the labelled pixels: with T = 0.01, classes below a percent come up about as often as each other, and
    those above 5 % hardly ever. Then one of the images that hold it is drawn, and RareClassCrop crops around it.
    All other samples are those of the wrapped set. What the masks hold is counted once (`index_classes`).

    Source of formula and T: Hoyer, Dai and Van Gool, "DAFormer: Improving Network Architectures and Training
    Strategies for Domain-Adaptive Semantic Segmentation", CVPR 2022, section 3.3 (there for every sample).

    Args:
        dataset: to be wrapped, or its config; RandomCrop in its pipeline has to be RareClassCrop, to which
            `load_config` and `tools/train.py` turn it. Other wrappers may stand in between.
        share: of the samples that are drawn so, above 0 and at most 1.
        temperature: T; a larger one draws less rare classes more often.
        min_pixels: an image holds a class if the mask has so many pixels of it; a class that no image holds so
            is drawn from all images that have it.
        lazy_init: look into the files later.

    Raises:
        ValueError: `share` or `temperature` is out of range, or no mask is loaded in the pipeline.
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
            raise InvalidDataError(f"RareClassDataset: share is {share}; expected above 0 and at most 1")
        if not temperature > 0:
            raise InvalidDataError(f"RareClassDataset: temperature is {temperature}; expected above 0")
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.share, self.temperature, self.min_pixels = share, temperature, min_pixels
        self._metainfo = self.dataset.metainfo
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        """A copy of the classes, palette and the rest that the wrapped set says of itself."""
        return copy.deepcopy(self._metainfo)

    def full_init(self) -> None:
        """List the files of the wrapped set, and which classes each of them holds."""
        if self._fully_initialized:
            return
        self.dataset.full_init()
        self._parts = list(built_datasets(self.dataset))
        self._starts = np.cumsum([0, *map(len, self._parts)])
        counts = np.concatenate([_count(part) for part in self._parts])
        pixels = counts.sum(axis=0)
        if not pixels.any():
            raise InvalidDataError(
                f"RareClassDataset: no pixel of {len(counts)} masks is labelled, so no class is rare"
            )
        self._probabilities = rarity(pixels, self.temperature)
        enough = counts >= self.min_pixels
        enough[:, ~enough.any(axis=0)] = True
        self._holders = [np.flatnonzero(column) for column in (enough & (counts > 0)).T]
        self._fully_initialized = True
        self._tell()

    def get_data_info(self, index: int) -> dict:
        """Return what the wrapped set knows of a sample."""
        return self.dataset.get_data_info(index)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict:
        """Return that sample, or in `share` of the calls another one, cropped around a rare class.

        Its data sample then says which class, as `rare_class`, if the crop still holds it.
        """
        self.full_init()
        if np.random.random() >= self.share:
            return self.dataset[index]
        train_id = int(np.random.choice(len(self._probabilities), p=self._probabilities))
        row = int(np.random.choice(self._holders[train_id]))
        part = int(np.searchsorted(self._starts, row, side="right")) - 1
        info = self._parts[part].get_data_info(row - int(self._starts[part]))
        sample = self._parts[part].pipeline({**info, _KEY: train_id})
        if sample is None:  # a transform did not like it
            return self.dataset[index]
        if "data_samples" in sample and (sample["data_samples"].gt_sem_seg.data == train_id).any():
            sample["data_samples"].set_metainfo({_KEY: self._metainfo["classes"][train_id]})
        return sample

    def _tell(self) -> None:
        order = np.argsort(-self._probabilities)
        drawn = [i for i in order if self._probabilities[i] >= 0.005]
        named = [f"{self._metainfo['classes'][i]} {self._probabilities[i]:.0%}" for i in drawn[:_SHOWN]]
        rest = f" and {len(drawn) - _SHOWN} more" if len(drawn) > _SHOWN else ""
        print_log(f"{self.share:.0%} of the samples are crops around a rare class: {', '.join(named)}{rest}", "current")


@TRANSFORMS.register_module()
class RareClassCrop(RandomCrop):
    """RandomCrop, but around the class that a RareClassDataset drew, where it drew one.

    A random pixel of that class comes to lie in the middle half of the crop's height and width, as far as the border
    of the image lets it. Where resizing has left none of the class, and for all other samples, it is RandomCrop.

    Args:
        crop_size, cat_max_ratio, ignore_index: those of RandomCrop.
    """

    @cache_randomness
    def crop_bbox(self, results: dict) -> tuple[int, int, int, int]:
        """Return where to crop: top, bottom, left, right."""
        train_id = results.get(_KEY)
        pixels = np.flatnonzero(results["gt_seg_map"] == train_id) if train_id is not None else ()
        if not len(pixels):
            return super().crop_bbox(results)
        shape = results["gt_seg_map"].shape
        pixel = np.unravel_index(np.random.choice(pixels), shape)
        box = []
        for place, length, wanted in zip(pixel, shape, self.crop_size, strict=True):
            start = int(place) - np.random.randint(wanted // 4, wanted - wanted // 4)
            start = min(max(start, 0), max(length - wanted, 0))
            box += [start, start + wanted]
        return tuple(box)


def rarity(pixels: np.ndarray, temperature: float) -> np.ndarray:
    """Return how often to draw each class: exp((1 - share of the pixels) / temperature), normalised.

    Args:
        pixels: of each class, shape (num_classes,); at least one is above 0.
        temperature: above 0.

    Returns:
        float64, shape (num_classes,); their sum is 1. A class without pixels has 0.
    """
    shares = pixels / pixels.sum()
    lowest = shares[pixels > 0].min()  # cancels out, and keeps exp from overflowing
    weights = np.where(pixels > 0, np.exp(np.minimum(0, (lowest - shares) / temperature)), 0)
    return weights / weights.sum()


def _count(dataset: Any) -> np.ndarray:
    """Return the pixels of each class in every mask, as the first steps of the pipeline load it."""
    steps = dataset.pipeline.transforms
    loader = next((step for step in steps if type(step).__name__ in _LOADERS), None)
    if loader is None:
        raise InvalidDataError(f"RareClassDataset: its pipeline has no {' or '.join(_LOADERS)} that loads masks")
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    classes = dataset.metainfo["classes"]
    first = {key: value for key, value in infos[0].items() if key in ("label_map", "reduce_zero_label", "dataset_file")}
    if "dataset_file" in first:
        first["dataset_file"] = Path(first["dataset_file"]).read_text(encoding="utf-8")
    return index_classes(
        partial(_read, loader),
        infos,
        [info["seg_map_path"] or info["img_path"] for info in infos],  # an image without mask has a class by its size
        repr((loader, tuple(classes), first)),
        len(classes),
        lambda number: print_log(f"rare-class crops: counting the pixels of {number} masks", "current"),
    )


def _read(loader: Any, info: dict) -> np.ndarray:
    return loader(info)["gt_seg_map"]
