"""The numbers of MMSegmentation: `performance='stock'` leaves out every part of this project that can change one.

Most of these parts belong to a feature, which leaves them out by itself: `batch` the scaled learning rate, `precision`
bfloat16 and channels-last, `sampling` the random numbers by position, `nan_guard` its stop, `preflight` its trial. This
module undoes what `load_config` has changed: the end of the schedule, and the loader of photographs. The repairs in
`semseg.compat` stay: they only change what ends in an error, or in NaN, in MMSegmentation.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from semseg.config.options import FAST, STOCK
from semseg.config.patch import Key, Patch, changes, has_value, value_at
from semseg.config.schedule import fit_schedule, length_of
from semseg.errors import InvalidConfigError
from semseg.training.options import PerformanceOptions

_LOADERS = ("train_dataloader", "val_dataloader")


def configure(cfg: Config, options: PerformanceOptions) -> Patch:
    """Undo the changes of `load_config` that can change a number, if `performance` is `stock`.

    Raises:
        ValueError: `performance` is another word than `fast` and `stock`.
    """
    if options.performance not in (FAST, STOCK):
        raise InvalidConfigError(
            f"`performance` {options.performance}: expected {FAST} or {STOCK}", code="E-config-value"
        )
    if options.performance != STOCK:
        return Patch()

    def edit(edited: Config) -> None:
        for name in _LOADERS:
            if edited.get(name) is not None:
                edited[name].dataset = _with_stock_loader(edited[name].dataset)

    patch = changes(cfg, edit)
    note = "performance stock: the numbers of MMSegmentation's tools/train.py; a resumed run is not exact"
    # `epochs` asks for another length, so its schedule ends with it
    schedule = {} if options.epochs is not None else _unfitted_schedule(cfg, options.cfg_options)
    return Patch({**patch.values, **schedule}, notes=[note])


def _with_stock_loader(node: Any) -> Any:
    """Return a part of a config with MMCV's LoadImageFromFile where LoadPhotograph would do the same for plain files.

    A loader with `bits`, which a dataset.yaml sets, stays: MMCV's has no such option.
    """
    if isinstance(node, (list, tuple)):
        return type(node)(_with_stock_loader(child) for child in node)
    if not isinstance(node, dict):
        return node
    changed = {key: _with_stock_loader(value) for key, value in node.items()}
    if changed.get("type") == "LoadPhotograph" and changed.get("bits") is None:
        changed["type"] = "LoadImageFromFile"
    return changed


def _unfitted_schedule(cfg: Config, options: Sequence[str]) -> dict[Key, Any]:
    """Return the values of `param_scheduler` in the config file that `fit_schedule` has moved to another length.

    A value that is not the one that `fit_schedule` gives is kept: something else has set it.
    """
    if not cfg.filename or not Path(cfg.filename).is_file():
        return {}
    written = Config.fromfile(cfg.filename)
    planned = length_of(written)
    fitted = copy.deepcopy(written)
    fitted.train_cfg = copy.deepcopy(cfg.train_cfg)
    moved = changes(fitted, lambda edited: fit_schedule(edited, planned, options)).values
    return {key: value_at(written, key) for key, value in moved.items() if has_value(cfg, key, value)}
