"""The images of a set that MMEngine has built: the names of their results, and how they are read."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmseg.registry import DATASETS

from semseg.config.tree import built_datasets, inner_datasets
from semseg.datasets.band_transforms import bands_of
from semseg.datasets.bands import Bands
from semseg.datasets.transforms import bits_of
from semseg.system.result_names import check_inputs_stay, name_results

_FILES = ("img_path", "seg_map_path", "roi_path")  # of a sample


def build_without_pipelines(dataset: Any) -> list[Any]:
    """Build the data sets inside wrappers in order to list their files; they load no photographs.

    Args:
        dataset: config of a data set or wrapper; not changed.

    Returns:
        The data sets, in their order, without the wrappers.
    """
    return [DATASETS.build({**copy.deepcopy(inner), "pipeline": []}) for inner in inner_datasets(dataset)]


def names_of_set(dataset: Any) -> dict[str, Path]:
    """Return the names of the results of every image of a set, by image path; see `name_results`.

    Args:
        dataset: as MMEngine builds it, wrapped or not.
    """
    images, roots = [], []
    for part in built_datasets(dataset):
        images += [part.get_data_info(i)["img_path"] for i in range(len(part))]
        root = getattr(part, "data_prefix", {}).get("img_path")
        roots += [root] if root else []
    return name_results(images, roots)


def reading_of_images(dataset: Any) -> dict[str, tuple[str, int | None, Bands | None]]:
    """Return `exif`, `bits` and `bands` by image path: how the photographs of a set are read, wrapped or not."""
    return {
        part.get_data_info(i)["img_path"]: (getattr(part, "exif", "apply"), bits_of(part), bands_of(part))
        for part in built_datasets(dataset)
        for i in range(len(part))
    }


def check_set_stays(dataset: Any, results: Iterable[Path], option: str) -> None:
    """Refuse results that would replace a photograph, a mask or a region of interest of a set.

    Args:
        dataset: as MMEngine builds it, wrapped or not.
        results: files that will be written.
        option: that names their folder, for the message.

    Raises:
        ValueError: one of them is a file of the set.
    """
    infos = (part.get_data_info(i) for part in built_datasets(dataset) for i in range(len(part)))
    files = (path for info in infos for path in map(info.get, _FILES) if path)
    check_inputs_stay(results, files, option)
