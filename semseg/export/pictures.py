"""Pictures for an export: to calibrate with, and to compare with PyTorch on."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from PIL import Image

from semseg.config.tree import built_datasets, inner_datasets
from semseg.datasets.samples import as_sample
from semseg.datasets.toycity import plan_cityscapes, render
from semseg.inference.pipeline import without_resize
from semseg.inference.predictor import Predictor
from semseg.inference.reading import read_image
from semseg.visualization.drawing import Sample

NUM_COMPARED, NUM_CALIBRATION, NUM_LABELLED = 3, 32, 100


class LabelledPictures:
    """Some pictures of a set with their labels, at their full size; each is read when it is needed.

    Args:
        places: the data set, as MMEngine builds it, and the index in it, of each picture.
        size: (height, width) that they are resized to; None: they stay.
    """

    def __init__(self, places: Sequence[tuple[Any, int]], size: tuple[int, int] | None) -> None:
        self._places, self._size = places, size

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Sample]:
        for dataset, index in self._places:
            image, train_ids, name = as_sample(dataset[index], None)
            if self._size:
                nearest = Image.fromarray(train_ids).resize(self._size[::-1], Image.Resampling.NEAREST)
                train_ids = np.asarray(nearest)
            yield Sample(_resized(image, self._size), train_ids, name)


class Pictures(NamedTuple):
    """The pictures of an export.

    Attributes:
        compared: RGB, uint8, shape (height, width, 3).
        calibration: as `compared`; empty if there are none.
        labelled: None if there are none.
        lines: which ones, for the user.
    """

    compared: list[np.ndarray]
    calibration: list[np.ndarray]
    labelled: LabelledPictures | None
    lines: list[str]


def choose_pictures(
    cfg: Config, predictor: Predictor, paths: Sequence[Path], size: tuple[int, int] | None, calibrates: bool
) -> Pictures:
    """Choose pictures.

    They are some of `paths`, or else of the test set of the config, or else drawn ones, which don't calibrate. If
    `calibrates`, and the test set has labels, the comparison uses it in any case: all pictures that do not calibrate,
    evenly spaced if there are more than NUM_LABELLED.

    Args:
        cfg: of the model.
        predictor: that says how photographs are read.
        paths: photographs that the user named, if any.
        size: (height, width) that all are resized to; None: two of three compared ones are cut to odd sizes.
        calibrates: whether calibration pictures are needed.

    Raises:
        ValueError: a photograph cannot be read.
    """
    tested = _find_pictures(cfg, "test_dataloader") or _find_pictures(cfg, "val_dataloader")
    pool = list(paths) or [*tested]
    compared_paths = _evenly(pool, NUM_COMPARED)
    calibration_paths, labelled, lines = [], None, []
    if calibrates:
        others = [path for path in pool if path not in compared_paths] or pool
        # half of a small set stays for the comparison
        calibration_paths = _evenly(others, NUM_CALIBRATION if paths else min(NUM_CALIBRATION, len(others) // 2 or 1))
        lines += [f"calibrated with {_describe(calibration_paths, others)}"] if others else []
        free = [path for path, place in tested.items() if path not in calibration_paths and _has_labels(*place)]
        if free:
            compared_paths, pool = _evenly(free, NUM_LABELLED), [*tested]
            labelled = LabelledPictures([tested[path] for path in compared_paths], size)

    def read(path: Path) -> np.ndarray:
        return read_image(path, predictor.exif, predictor.bits)

    labels = ", with their labels" if labelled else ""
    which = _describe(compared_paths, pool) if compared_paths else f"{NUM_COMPARED} drawn images"
    lines.append(f"compared on {which}{labels}")
    compared = [read(path) for path in compared_paths[:NUM_COMPARED]] or _draw_images()
    calibration = [_resized(read(path), size) for path in calibration_paths]
    return Pictures(_fitted(compared, size), calibration, labelled, lines)


def _find_pictures(cfg: Config, loader: str) -> dict[Path, tuple[Any, int]]:
    """Return the data set and the index in it of each picture of a dataloader, by path; empty if there are none here.

    The pipelines of the data sets do not resize.
    """
    if cfg.get(loader) is None:
        return {}
    dataset = copy.deepcopy(cfg[loader].dataset)
    for inner in inner_datasets(dataset):
        inner.pipeline = without_resize(inner.pipeline)
    init_default_scope(cfg.get("default_scope", "mmseg"))
    try:
        parts = [*built_datasets(DATASETS.build(dataset))]
        return {Path(part.get_data_info(i)["img_path"]): (part, i) for part in parts for i in range(len(part))}
    except (OSError, ValueError):  # the data is on another machine
        return {}


def _has_labels(dataset: Any, index: int) -> bool:
    mask_path = dataset.get_data_info(index).get("seg_map_path")
    return mask_path is not None and Path(mask_path).is_file()


def _evenly(paths: Sequence[Path], num_paths: int) -> list[Path]:
    """Choose some paths, evenly spaced."""
    indices = np.linspace(0, len(paths) - 1, min(len(paths), num_paths)).round().astype(int)
    return [paths[index] for index in indices]


def _describe(chosen: Sequence[Path], pool: Sequence[Path]) -> str:
    """Describe a choice: `32 of 200 images in data/train (first a.png, last z.png)`."""
    folder = os.path.commonpath([path.parent for path in pool])
    number = f"{len(chosen)} of {len(pool)}" if len(chosen) < len(pool) else f"{len(chosen)}"
    return f"{number} images in {folder or '.'} (first {chosen[0].name}, last {chosen[-1].name})"


def _draw_images() -> list[np.ndarray]:
    return [render(picture)[0] for picture in plan_cityscapes(Path(), {"val": NUM_COMPARED}, (512, 256), seed=0)]


def _fitted(images: list[np.ndarray], size: tuple[int, int] | None) -> list[np.ndarray]:
    """Resize images to a fixed size; for any size, crop all but the first to odd heights and widths."""
    if size:
        return [_resized(image, size) for image in images]
    return [images[0], *(image[: len(image) * 7 // 9 | 1, : image.shape[1] * 8 // 9 | 1] for image in images[1:])]


def _resized(image: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize(size[::-1])) if size else image
