"""The options of analyses that take a long time: dataclasses, from which the flags of the programs are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from semseg.config.options import PluginOptions, option


@dataclass(frozen=True)
class ComparisonOptions(PluginOptions):
    """The comparison."""

    out_dir: Path = option(
        Path("work_dirs/comparison"),
        flag="--out",
        type=Path,
        metavar="DIR",
        help="folder of the runs and of the page; the same folder continues a comparison (default: %(default)s)",
    )
    minutes: float | None = option(
        type=float, metavar="M", help="train each model for M minutes, without its validations; or give --iters"
    )
    iters: int | None = option(type=int, metavar="N", help="train each model for N iterations; or give --minutes")
    seeds: int = option(3, type=int, metavar="N", help="train each model with N seeds, from 0 (default: %(default)s)")
    data: Sequence[str] | None = option(
        action="append", metavar="FILE", help="use this dataset.yaml, not the data of the configs; repeatable"
    )
    cfg_options: Sequence[str] = option(
        (),
        nargs="+",
        action="extend",
        metavar="KEY=VALUE",
        help="override config values of all models, such as train_dataloader.batch_size=2",
    )
    pictures: int = option(
        6, type=int, metavar="N", help="show the predictions for N images on the page (default: %(default)s)"
    )
