"""The result names of the images of a set that MMEngine has built, and how its photographs are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from semseg.config.tree import built_datasets
from semseg.datasets.transforms import bits_of
from semseg.system.result_names import name_results


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


def reading_of_images(dataset: Any) -> dict[str, tuple[str, int | None]]:
    """Return `exif` and `bits` by image path: how the photographs of a set are read, wrapped or not."""
    return {
        part.get_data_info(i)["img_path"]: (getattr(part, "exif", "apply"), bits_of(part))
        for part in built_datasets(dataset)
        for i in range(len(part))
    }
