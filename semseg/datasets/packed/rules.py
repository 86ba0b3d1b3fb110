"""The rules by which files become pixels and train ids: a packed set is used with those it was packed with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from semseg.datasets.bands import LOADER
from semseg.datasets.dataset_file import read_dataset_file
from semseg.errors import InvalidConfigError

PHOTOGRAPH_STEPS = ("LoadPhotograph", "LoadImageFromFile")
MASK_STEPS = ("LoadTrainIds", "LoadAnnotations")
# of a dataset.yaml: where the files are, not how they are read; packed sets have no bands
_PLACES = ("path", "root", "splits", "roi_suffix", "bands")


def loading_steps(steps: list) -> list:
    """Return the two steps of a built pipeline that load photograph and mask; they are its first ones.

    Raises:
        ValueError: the pipeline does not begin with them, or keeps no uint8.
    """
    loaders = steps[:2]
    names = [type(step).__name__ for step in loaders]
    if LOADER in names:
        raise InvalidConfigError(
            "a packed set has photographs of 8 bits, and this set has `bands`; train on its files",
            code="E-config-unsupported",
        )
    if sorted(names, key=lambda name: name in MASK_STEPS) != names or not (
        len(names) == 2 and names[0] in PHOTOGRAPH_STEPS and names[1] in MASK_STEPS
    ):
        raise InvalidConfigError(
            f"a packed set replaces LoadImageFromFile and LoadTrainIds at the beginning of a pipeline; this one begins"
            f" with {' and '.join(names) or 'nothing'}",
            code="E-config-unsupported",
        )
    if loaders[0].to_float32:
        raise InvalidConfigError(
            "a packed set has photographs of 8 bits; remove to_float32=True from LoadImageFromFile",
            code="E-config-unsupported",
        )
    return loaders


def reading_rules(loaders: list, info: Mapping[str, Any]) -> dict[str, str]:
    """Return what decides on the pixels of a picture and its mask besides the files, as text by name.

    Args:
        loaders: from `loading_steps`.
        info: of one sample of the set.
    """
    photograph, mask = loaders
    rules = {"color_type": str(photograph.color_type), "bits": str(getattr(photograph, "bits", None))}
    if info.get("roi_path") is not None:
        rules["roi"] = "regions of interest"
    if "dataset_file" in info:
        described = dataclasses.asdict(read_dataset_file(info["dataset_file"]))
        return rules | {key: str(value) for key, value in described.items() if key not in _PLACES}
    return rules | {
        "num_classes": str(getattr(mask, "num_classes", None)),
        "label_map": str(info.get("label_map")),
        "reduce_zero_label": str(info.get("reduce_zero_label")),
    }
