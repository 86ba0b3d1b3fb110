"""Train on a packed set: its tiles take the place of the files in the pipelines of a data set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from semseg.config.tree import built_datasets
from semseg.datasets.lazy_pictures import LazyPicture
from semseg.datasets.packed.packing import file_facts
from semseg.datasets.packed.rules import loading_steps, reading_rules
from semseg.datasets.packed.store import PackedSplit, as_folder, read_marker
from semseg.errors import InvalidDataError


class LoadPacked(BaseTransform):
    """Load photograph and mask from a packed set.

    Args:
        split: of the packed set.
        numbers: number of the picture in it, by the path of the photograph in the data set.

    Attributes:
        is_lazy: return LazyPictures, which read only the tiles of the crop; otherwise arrays.
    """

    def __init__(self, split: PackedSplit, numbers: Mapping[str, int]) -> None:
        self.split, self.numbers, self.is_lazy = split, numbers, False

    def transform(self, results: dict) -> dict:
        """Add `img`, `img_shape`, `ori_shape` and `gt_seg_map`, as the loaders of files do."""
        image, train_ids = self.split.picture(self.numbers[results["img_path"]])
        pictures = LazyPicture(image), LazyPicture(train_ids, nearest=True)
        results["img"], results["gt_seg_map"] = pictures if self.is_lazy else map(np.asarray, pictures)
        results["img_shape"] = results["ori_shape"] = image.shape[:2]
        results["seg_fields"].append("gt_seg_map")
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.split.folder}, {self.split.split})"


def use_packed(dataset: Any, folder: str | Path) -> None:
    """Replace the loaders in the pipelines of a data set by the tiles of a packed set. Modifies `dataset`.

    Args:
        dataset: as MMEngine builds it, wrapped or not.
        folder: of the packed set, or its address.

    Raises:
        FileNotFoundError: there is no such packed set.
        ValueError: it does not hold all pictures, files have changed since, or it was packed with other rules.
    """
    splits = [PackedSplit(folder, name) for name in read_marker(as_folder(folder))["splits"]]
    for part in built_datasets(dataset):
        infos = [part.get_data_info(i) for i in range(len(part))]
        if not infos:
            continue
        steps = part.pipeline.transforms
        steps[:2] = [_loader_of(splits, infos, reading_rules(loading_steps(steps), infos[0]))]


def _loader_of(splits: list[PackedSplit], infos: list[dict], rules: dict[str, str]) -> LoadPacked:
    paths = [os.path.abspath(info["img_path"]) for info in infos]  # noqa: PTH100
    candidates = [(one, names) for one in splits for names in (one.names, _moved_names(one, paths))]
    chosen, names = min(candidates, key=lambda candidate: len(set(paths) - set(candidate[1])))
    numbers = {name: number for number, name in enumerate(names)}
    missing = [path for path in paths if path not in numbers]
    if missing:
        raise InvalidDataError(
            f"{len(missing)} of {len(paths)} photographs are not in the packed set {chosen.folder}, first {missing[0]}:"
            " pack the set again with tools/dataset.py pack",
            code="E-data-packed",
        )
    if chosen.rules != rules:
        key = next(key for key in {**chosen.rules, **rules} if chosen.rules.get(key) != rules.get(key))
        raise InvalidDataError(
            f"{chosen.folder} was packed with {key} {chosen.rules.get(key)}, and the training has {rules.get(key)}:"
            " pack the set again with tools/dataset.py pack",
            code="E-data-packed",
        )
    _check_files(chosen, [numbers[path] for path in paths], infos)
    return LoadPacked(chosen, {info["img_path"]: numbers[path] for info, path in zip(infos, paths, strict=True)})


def _moved_names(split: PackedSplit, paths: list[str]) -> list[str]:
    """Return the names of the photographs if all of them were moved; a set in a storage does not say where to."""
    if isinstance(split.folder, Path):
        return split.moved_names
    old, new = (os.path.commonpath([os.path.dirname(name) for name in names]) for names in (split.names, paths))  # noqa: PTH120
    return [new + name[len(old) :] for name in split.names]


def _check_files(split: PackedSplit, numbers: list[int], infos: list[dict]) -> None:
    """Check that the files are those that were packed: same size and time of change, else same content."""
    changed = []
    for number, info in zip(numbers, infos, strict=True):
        stored, now = split.facts[number], np.array(file_facts(info, with_checksum=False))
        if np.array_equal(now[:, :2], stored[:, :2]):
            continue
        if not np.array_equal(now[:, 0], stored[:, 0]) or not np.array_equal(
            np.array(file_facts(info))[:, 2], stored[:, 2]
        ):
            changed.append(info["img_path"])
    if changed:
        regions = " or region of interest" if split.facts.shape[1] > 2 else ""
        raise InvalidDataError(
            f"{len(changed)} pictures have changed since they were packed to {split.folder}, first {changed[0]} or its"
            f" mask{regions}: pack the set again with tools/dataset.py pack",
            code="E-data-packed",
        )
