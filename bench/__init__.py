"""Benchmarks for tools/benchmark.py: each module with `cases` or `table` is a benchmark; the others are experiments.

The first line of the docstring of a benchmark is shown by `--help`. A comparison with MMSegmentation has

    def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]

which returns, for each task, its implementations by name: "ours" and, if `stock` is true, "stock", the code of the
installed MMSegmentation. `folder` is empty, and deleted at the end.

If a comparison of times is not sufficient, it has `table(stock: bool, folder: Path) -> Table` instead, which measures
by itself; `--repeat` and `--warm-up` are errors then. With `draw(table: Table)`, which returns RGB pixels, it can
`--plot`.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "configs/toycity/pspnet_r18-d8_1xb4-1000_toycity-128x256.py"
CONFIG = Path(os.environ.get("BENCH_CONFIG", DEMO)).resolve()
"""Of the model that is measured."""


class Floor(NamedTuple):
    """The time that a task cannot undercut: its multiplications, as fast as this machine can multiply."""

    time_s: float
    reason: str  # how it was computed


class Contender(NamedTuple):
    """One side of a comparison."""

    run: Callable[[], float | None]  # timed; may return the peak memory of its process in MiB
    prepare: Callable[[], object] = lambda: None  # called before every run, not timed
    work: tuple[int, str] | None = None  # amount of work of one run, such as (6, "pairs"), to print a rate
    floor: Callable[[], Floor] | None = None  # called after the last run


class Table(NamedTuple):
    """What a benchmark has measured by itself."""

    rows: list[dict[str, str | float]]  # all with the same keys
    notes: list[str]  # printed below


def stock_tools() -> Path:
    """Return the folder of the programs of the installed MMSegmentation."""
    spec = importlib.util.find_spec("mmseg")
    folder = Path(spec.origin).parent / ".mim/tools" if spec else None
    if folder is None or not folder.is_dir():
        raise FileNotFoundError("the installed mmseg contains no tools; install onedl-mmsegmentation")
    return folder


def picture_size(default: str) -> tuple[int, int]:
    """Return width and height from BENCH_SIZE, such as 512x256, or from the default."""
    width, height = map(int, os.environ.get("BENCH_SIZE", default).split("x"))
    return width, height
