"""The names of checkpoint files in a work folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_POSITION = r"(?:iter_(?P<iter>\d+)|epoch_(?P<epoch>\d+)(?:_iter_(?P<within>\d+))?)"
_RUN_FILES = re.compile(rf"(?:best_.+_)?{_POSITION}\.pth|last\.pth|best\.pth")


def numbered_checkpoints(folder: str | Path) -> list[Path]:
    """List the checkpoints that a run can be resumed from, the newest first."""
    return [Path(folder, name) for name in newest_first(path.name for path in Path(folder).glob("*.pth"))]


def newest_first(names: Iterable[str]) -> list[str]:
    """Select the names made by `position_name` with `.pth`, and sort them by position, the newest first."""
    matches = [(re.fullmatch(rf"{_POSITION}\.pth", name), name) for name in names]
    return [name for _, name in sorted(((_order(match), name) for match, name in matches if match), reverse=True)]


def best_names(names: Iterable[str], start: str) -> list[str]:
    """Select the names of best checkpoints that begin with `start`, such as `best_mIoU_`."""
    return [name for name in names if re.fullmatch(rf"{re.escape(start)}{_POSITION}\.pth", name)]


def run_checkpoints(folder: str | Path) -> list[Path]:
    """List all checkpoints that a run writes to its folder, sorted by name: numbered ones, best ones, links to them."""
    return sorted(path for path in Path(folder).glob("*.pth") if _RUN_FILES.fullmatch(path.name))


def position_name(num_iters: int, num_epochs: int | None = None, iters_per_epoch: int = 0) -> str:
    """Name a position in a run: `iter_400`, `epoch_3`, or `epoch_3_iter_400` in the middle of the fourth epoch.

    Args:
        num_iters: finished iterations.
        num_epochs: finished epochs; None in a run whose checkpoints are counted by iterations.
        iters_per_epoch: iterations of one epoch.
    """
    if num_epochs is None:
        return f"iter_{num_iters}"
    within = f"_iter_{num_iters}" if num_iters != num_epochs * iters_per_epoch else ""
    return f"epoch_{num_epochs}{within}"


def _order(match: re.Match[str]) -> tuple[int, int]:
    if match["iter"]:
        return 0, int(match["iter"])
    return int(match["epoch"]), int(match["within"] or 0)
