"""What tools/benchmark.py runs: a module here that has `cases` or `table` is a station; the others are experiments.

A station's docstring begins with the line that `--help` shows. It has one function:

    def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]

which returns, by what is done, who does it: "ours", and where `stock` is true "stock", the installed
MMSegmentation's own code. `folder` is empty, and deleted at the end.

Or, where seconds side by side do not say it, `table(folder: Path) -> list[str]`, which measures, and returns the lines
to print; `--against`, `--repeat` and `--json` are not for it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Contender(NamedTuple):
    """One side of a comparison."""

    run: Callable[[], float | None]  # timed; may return the peak memory of its process in MiB
    prepare: Callable[[], None] = lambda: None  # called before every run, outside the clock
    work: tuple[int, str] | None = None  # what one run gets through, such as (6, "pairs"), to show a rate


def stock_tools() -> Path:
    """Return the folder of the programs that the installed MMSegmentation brings."""
    spec = importlib.util.find_spec("mmseg")
    folder = Path(spec.origin).parent / ".mim/tools" if spec else None
    if folder is None or not folder.is_dir():
        raise FileNotFoundError("the installed mmseg brings no tools; install onedl-mmsegmentation")
    return folder
