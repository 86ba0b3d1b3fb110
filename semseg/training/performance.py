"""The numbers of MMSegmentation: `performance='stock'` leaves out every part of this project that can change one.

Most of these parts belong to a feature, which leaves them out by itself: `batch` the scaled learning rate, `precision`
bfloat16 and channels-last, `sampling` the random numbers by position, `nan_guard` its stop, `preflight` its trial. This
module undoes what `load_config` has changed: the end of the schedule, and the loader of photographs. The repairs in
`semseg.compat` stay. They change what ends in an error, or in NaN, in MMSegmentation, and a gradient that PyTorch
computes wrong in bfloat16 on CPUs, on which MMSegmentation trains in float32 only.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

from semseg.config.options import FAST, STOCK
from semseg.config.patch import Key, Patch, changes, has_value, value_at
from semseg.config.schedule import fit_schedule, length_of
from semseg.config.tree import datasets_of, edited, parts_with_type
from semseg.datasets.bit_depth import FEWEST_BITS
from semseg.datasets.built_sets import build_without_pipelines
from semseg.datasets.photographs import RGB_COLOR_TYPES
from semseg.datasets.picture_sizes import num_bits, spread_sample
from semseg.errors import InvalidConfigError
from semseg.training.options import PerformanceOptions

_LOADERS = ("train_dataloader", "val_dataloader")


def configure(cfg: Config, options: PerformanceOptions) -> Patch:
    """Undo the changes of `load_config` that can change a number, if `performance` is `stock`.

    Raises:
        ValueError: `performance` is another word than `fast` and `stock`; or stock would read photographs of 16 bits
            in another way than a test of its model.
    """
    if options.performance not in (FAST, STOCK):
        raise InvalidConfigError(
            f"`performance` {options.performance}: expected {FAST} or {STOCK}", code="E-config-value"
        )
    if options.performance != STOCK:
        return Patch()
    _check_bits(cfg)

    def edit(copied: Config) -> None:
        for name in _LOADERS:
            if copied.get(name) is not None:
                copied[name].dataset = edited(copied[name].dataset, _with_stock_loader)

    patch = changes(cfg, edit)
    note = "performance stock: the numbers of MMSegmentation's tools/train.py; a resumed run is not exact"
    # `epochs` asks for another length, so its schedule ends with it
    schedule = {} if options.epochs is not None else _unfitted_schedule(cfg, options.cfg_options)
    return Patch({**patch.values, **schedule}, notes=[note])


def _with_stock_loader(step: Mapping[str, Any]) -> dict[str, Any]:
    """Return MMCV's LoadImageFromFile for a LoadPhotograph that would do the same for plain files, else the step.

    A loader with `bits`, which a dataset.yaml sets, stays: MMCV's has no such option.
    """
    return {**step, "type": "LoadImageFromFile"} if _is_replaced(step) else dict(step)


def _is_replaced(step: Mapping[str, Any]) -> bool:
    return step.get("type") == "LoadPhotograph" and step.get("bits") is None


def _check_bits(cfg: Config) -> None:
    """Check in a sample that MMCV's loader gives the pixels that a test of the model sees: they have 8 bits.

    MMCV takes the upper 8 of 16 bits; a test scales the bits in use, which the file may state.
    """
    init_default_scope(cfg.get("default_scope", "mmseg"))
    for dataset in datasets_of(cfg, *_LOADERS):
        loaders = [step for step in parts_with_type(dataset.get("pipeline", [])) if _is_replaced(step)]
        if not any(step.get("color_type", "color") in RGB_COLOR_TYPES for step in loaders):
            continue
        deep = next((path for path in _photographs_in(dataset) if num_bits(path) > FEWEST_BITS), None)
        if deep is not None:
            raise InvalidConfigError(
                f"`performance` {STOCK}: {deep} has {num_bits(deep)} bits, of which MMSegmentation reads the upper"
                " 8, and a test of the model those in use: say in dataset.yaml how many are in use, such as"
                f" bits: 12, or train with `performance` {FAST}",
                code="E-config-conflict",
            )


def _photographs_in(dataset: Any) -> list[Path]:
    """Return the paths of some photographs of a data set; none if it cannot be built."""
    try:
        (built,) = build_without_pipelines(dataset)
        return [Path(built.get_data_info(number)["img_path"]) for number in spread_sample(range(len(built)))]
    except Exception:  # files are missing, or an argument is wrong: the run reports it when it builds the set
        return []


def _unfitted_schedule(cfg: Config, options: Sequence[str]) -> dict[Key, Any]:
    """Return the values of `param_scheduler` in the config file that `fit_schedule` has moved to another length.

    A value that is not the one that `fit_schedule` gives is kept: something else has set it.
    """
    if not cfg.filename or not Path(cfg.filename).is_file():
        return {}
    written = Config.fromfile(cfg.filename, import_custom_modules=False)  # `load_config` has imported them
    planned = length_of(written)
    fitted = copy.deepcopy(written)
    fitted.train_cfg = copy.deepcopy(cfg.train_cfg)
    moved = changes(fitted, lambda copied: fit_schedule(copied, planned, options)).values
    return {key: value_at(written, key) for key, value in moved.items() if has_value(cfg, key, value)}
