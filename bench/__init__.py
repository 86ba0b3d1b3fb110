"""Benchmarks for tools/benchmark.py: each module with `cases` or `table` is a benchmark; the others are experiments.

The first line of the docstring of a benchmark is shown by `--help`. It has one function:

    def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]

which returns, for each task, its implementations by name: "ours" and, if `stock` is true, "stock", the code of the
installed MMSegmentation. `folder` is empty, and deleted at the end.

If a comparison of times is not sufficient, it has `table(folder: Path) -> list[str]` instead, which measures and
returns the lines to print; `--against`, `--repeat` and `--json` have no effect on it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Contender(NamedTuple):
    """One side of a comparison."""

    run: Callable[[], float | None]  # timed; may return the peak memory of its process in MiB
    prepare: Callable[[], None] = lambda: None  # called before every run, not timed
    work: tuple[int, str] | None = None  # amount of work of one run, such as (6, "pairs"), to print a rate


def stock_tools() -> Path:
    """Return the folder of the programs of the installed MMSegmentation."""
    spec = importlib.util.find_spec("mmseg")
    folder = Path(spec.origin).parent / ".mim/tools" if spec else None
    if folder is None or not folder.is_dir():
        raise FileNotFoundError("the installed mmseg contains no tools; install onedl-mmsegmentation")
    return folder
