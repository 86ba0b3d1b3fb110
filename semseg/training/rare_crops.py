"""Crops around rare classes: `RareClassDataset` around the training set."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

from semseg.config.patch import Key, Patch, key_of
from semseg.config.rare_crops import rare_class_datasets, with_rare_crops
from semseg.config.tree import inner_datasets_with_keys
from semseg.errors import InvalidConfigError
from semseg.training.options import RareCropsOptions

_PLACE = "train_dataloader.dataset"
_PLUGINS = "semseg.plugins"


def configure(cfg: Config, options: RareCropsOptions) -> Patch:
    """Crop a share of the samples around a rare class.

    Raises:
        ValueError: the share is out of range, or the pipeline has no RandomCrop to replace.
    """
    share = options.rare_crops
    if share is None:
        return Patch()
    if not 0 < share <= 1:
        raise InvalidConfigError(
            f"`rare_crops` {share}: a share of the samples is above 0 and at most 1", code="E-config-range"
        )
    values: dict[Key, Any] = {}
    imports = cfg.get("custom_imports", {}).get("imports", [])
    if _PLUGINS not in imports:  # a config of another project
        values["custom_imports",] = dict(imports=[*imports, _PLUGINS], allow_failed_imports=False)
        import_modules_from_strings([_PLUGINS])
    dataset = cfg.train_dataloader.dataset
    present = list(rare_class_datasets(dataset, _PLACE))
    if present:
        return Patch({**values, **{(*key_of(place), "share"): share for place, _ in present}})
    for place, inner in inner_datasets_with_keys(dataset, _PLACE):
        values[(*key_of(place), "pipeline")] = with_rare_crops(inner)
    return Patch(values, {key_of(_PLACE): (dict(type="RareClassDataset", share=share), "dataset")})
