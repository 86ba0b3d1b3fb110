"""MMSegmentation's random transforms in less time: the same random draws, and the same pixels up to rounding.

`use_fast_steps` puts them in the place of the others in a data set that is built already, so that configs keep
MMSegmentation's names.
"""

from __future__ import annotations

import itertools
from typing import Any

import cv2
import numpy as np
from mmcv.image import rescale_size
from mmcv.transforms import RandomChoiceResize, RandomResize
from mmcv.transforms.utils import cache_randomness
from mmseg.datasets.transforms import PackSegInputs, PhotoMetricDistortion, RandomCrop, RandomFlip, Resize

from semseg.config.tree import built_datasets
from semseg.datasets.fast_colors import FastPhotoMetricDistortion
from semseg.datasets.lazy_pictures import LazyPart, LazyPicture
from semseg.datasets.packed.loading import LoadPacked

_MAX_TRIES = 10  # as in RandomCrop
_SHAPES = ("gt_bboxes", "gt_keypoints")  # would have to be scaled too
_MAX_CHANNELS = 4  # with more, warpAffine is less exact
_FLIP_CODES = {"horizontal": 1, "vertical": 0, "diagonal": -1}  # of OpenCV
_SAMPLE_STEP = 8  # in both directions


def use_fast_steps(dataset: Any) -> None:
    """Replace steps in the pipelines of a data set by faster ones that draw the same. Modifies `dataset`.

    Subclasses of the known steps, such as a user's own, are kept, and so are those with unusual options.

    Args:
        dataset: as MMEngine builds it, wrapped or not.
    """
    for part in built_datasets(dataset):
        steps = getattr(getattr(part, "pipeline", None), "transforms", [])
        for i in range(len(steps)):
            if type(steps[i]) in _FASTER:
                steps[i] = _as(_FASTER[type(steps[i])], steps[i])
        for step, following in itertools.pairwise(steps):
            if isinstance(step, FastRandomCrop) and isinstance(following, FastRandomFlip):
                step.is_lazy = True
            if isinstance(step, FastPhotoMetricDistortion) and isinstance(following, FastPackSegInputs):
                step.is_planar = True
            if not isinstance(following, FastRandomCrop):  # everything else needs an array
                continue
            if type(step) in (RandomResize, RandomChoiceResize) and _is_usual(step.resize):
                step.resize = _as(LazyResize, step.resize)
            elif _is_usual(step):
                steps[steps.index(step)] = _as(LazyResize, step)
        if len(steps) > 1 and isinstance(steps[0], LoadPacked):
            steps[0].is_lazy = isinstance(getattr(steps[1], "resize", steps[1]), (LazyResize, FastRandomCrop))


def _is_usual(step: Any) -> bool:
    return type(step) is Resize and step.keep_ratio and (step.backend, step.interpolation) == ("cv2", "bilinear")


def _as(kind: type, step: Any) -> Any:
    """Return a step of another class with the same attributes."""
    converted = object.__new__(kind)
    converted.__dict__.update(step.__dict__)
    return converted


class LazyResize(Resize):
    """Scale a picture and its mask when a crop is taken of them, and compute only the pixels of the crop.

    Pixels differ from those of MMSegmentation's Resize by at most one grey level, masks not at all.
    """

    def transform(self, results: dict) -> dict:
        """Replace `img` and the masks by LazyPictures of the new size; add the keys that Resize adds."""
        masks = results.get("seg_fields", [])
        if not all(_is_uint8(results[key]) for key in ("img", *masks)) or any(
            results.get(key) is not None for key in _SHAPES
        ):
            return super().transform(results)
        factors: Any = self.scale_factor
        results["scale"] = self.scale or tuple(
            int(side * factor + 0.5) for side, factor in zip(results["img"].shape[1::-1], factors, strict=True)
        )
        height, width = results["img"].shape[:2]
        new_width, new_height = rescale_size((width, height), results["scale"])
        results["img"] = _lazy(results["img"], nearest=False).scaled((new_height, new_width))
        for key in masks:
            results[key] = _lazy(results[key], nearest=True).scaled((new_height, new_width))
        results["img_shape"] = new_height, new_width
        results["scale_factor"] = new_width / width, new_height / height
        results["keep_ratio"] = True
        return results


def _is_uint8(picture: Any) -> bool:
    if isinstance(picture, LazyPicture):
        return True
    return picture.dtype == np.uint8 and (picture.ndim == 2 or picture.shape[2] <= _MAX_CHANNELS)


def _lazy(picture: Any, nearest: bool) -> LazyPicture:
    return picture if isinstance(picture, LazyPicture) else LazyPicture(picture, nearest=nearest)


class FastRandomCrop(RandomCrop):
    """MMSegmentation's RandomCrop, with a faster count of the classes; it also crops the pictures of LazyResize.

    Args:
        crop_size, cat_max_ratio, ignore_index: those of RandomCrop.

    Attributes:
        is_lazy: return a LazyPart of a LazyPicture, for FastRandomFlip, which mirrors it while it is scaled.
    """

    is_lazy = False

    def crop(self, img: Any, crop_bbox: tuple[int, int, int, int]) -> Any:
        """Return a part of a photograph or mask."""
        top, bottom, left, right = crop_bbox
        if self.is_lazy and isinstance(img, LazyPicture) and not img.nearest:
            return LazyPart(img, (slice(top, bottom), slice(left, right)))
        return img[top:bottom, left:right, ...]

    @cache_randomness
    def crop_bbox(self, results: dict) -> tuple[int, int, int, int]:
        """Return the borders of the crop: top, bottom, left, right."""
        counts_classes = self.cat_max_ratio < 1
        if counts_classes and not _is_uint8(results["gt_seg_map"]):
            return super().crop_bbox(results)
        box = self._draw(results["img"].shape)
        if counts_classes:
            for _ in range(_MAX_TRIES):
                if is_varied(self.crop(results["gt_seg_map"], box), self.cat_max_ratio, self.ignore_index):
                    break
                box = self._draw(results["img"].shape)
        return box

    def _draw(self, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        height, width = self.crop_size
        top = np.random.randint(0, max(shape[0] - height, 0) + 1)
        left = np.random.randint(0, max(shape[1] - width, 0) + 1)
        return top, top + height, left, left + width


def is_varied(values: np.ndarray, most: float, ignored: int) -> bool:
    """Return whether a mask has several values, and the largest share of one of them is below `most`.

    As few values as possible are counted: those that are frequent in a sample first, until the others cannot change
    the answer.

    Args:
        values: uint8, shape (height, width).
        most: share of the pixels, below 1.
        ignored: value that does not count; it may lie outside 0..255.
    """
    num_valued = num_left = values.size - np.count_nonzero(values == ignored)
    sample = np.bincount(values[::_SAMPLE_STEP, ::_SAMPLE_STEP].ravel(), minlength=256)
    largest = 0
    for value in map(int, np.argsort(-sample)):  # with NumPy's int64, the comparison would copy the mask to int64
        if value == ignored:
            continue
        count = np.count_nonzero(values == value)
        largest, num_left = max(largest, count), num_left - count
        if num_left <= largest or num_left / num_valued < most:
            break
    return bool(0 < largest < num_valued and largest / num_valued < most)


class FastRandomFlip(RandomFlip):
    """MMSegmentation's RandomFlip, which mirrors the crops of FastRandomCrop while they are scaled.

    Args:
        prob, direction, swap_seg_labels: those of RandomFlip.
    """

    def transform(self, results: dict) -> dict:
        """Flip photograph and mask, or not."""
        results = super().transform(results)
        if isinstance(results["img"], LazyPart):  # not flipped
            results["img"] = results["img"].pixels()
        return results

    def _flip(self, results: dict) -> None:
        img, direction = results["img"], results["flip_direction"]
        flipped = None
        if isinstance(img, LazyPart) and direction == "horizontal":
            flipped = results["img"] = img.pixels(is_mirrored=True)
        elif isinstance(img, LazyPart):
            results["img"] = img.pixels()
        super()._flip(results)
        if flipped is not None:  # mirrored already
            results["img"] = flipped

    def _flip_seg_map(self, seg_map: Any, direction: str) -> np.ndarray:
        if self.swap_seg_labels is not None or not _is_uint8(seg_map):
            return super()._flip_seg_map(seg_map, direction)
        return cv2.flip(seg_map, _FLIP_CODES[direction])


class FastPackSegInputs(PackSegInputs):
    """MMSegmentation's PackSegInputs, with a faster change of the order of the axes.

    Args:
        meta_keys: those of PackSegInputs.
    """

    def transform(self, results: dict) -> dict:
        """Return `inputs` and `data_samples`."""
        img = results.get("img")
        if img is not None and img.ndim == 3 and img.dtype == np.uint8 and img.flags.c_contiguous:
            planes = np.empty((img.shape[2], *img.shape[:2]), np.uint8)
            cv2.split(img, list(planes))
            results = {**results, "img": planes.transpose(1, 2, 0)}
        return super().transform(results)


_FASTER = {
    RandomCrop: FastRandomCrop,
    RandomFlip: FastRandomFlip,
    PhotoMetricDistortion: FastPhotoMetricDistortion,
    PackSegInputs: FastPackSegInputs,
}
