"""Progress of a run, and its summary."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from semseg.inference.outputs import Outputs
from semseg.system.objects.addresses import Address


@dataclass
class Summary:
    """Counts and times of a run.

    Attributes:
        num_images: that this process had to segment.
        shares: mean share of each class over the images, 0 to 1, shape (num_classes,); their sum until the end.
        num_done: segmented and written.
        num_with_data: of those, images with at least one pixel that has data.
        num_deep: of those, images that store 16 bits.
        num_left: skipped because their results existed.
        num_replaced: results of other images with the same names, which were replaced.
        kinds: of results that exist, from this run or before it.
        failed: the images that could not be read, segmented or written.
        seconds: from the first image to the last.
        busy: seconds of work by stage, per thread: read, predict, write.
    """

    num_images: int
    shares: np.ndarray
    num_done: int = 0
    num_left: int = 0
    num_replaced: int = 0
    kinds: set[str] = field(default_factory=set)
    num_with_data: int = 0
    num_deep: int = 0
    failed: list[Path | Address] = field(default_factory=list)
    seconds: float = 0.0
    busy: dict[str, float] = field(default_factory=lambda: {"read": 0.0, "predict": 0.0, "write": 0.0})

    def lines(self, outputs: Outputs, out_dir: Path | Address | None = None) -> list[str]:
        """Return the lines that are printed at the end of a run.

        Args:
            outputs: what was written.
            out_dir: where it is now; default: where it was written to.
        """
        out_dir = out_dir or outputs.out_dir
        folders = ", ".join(f"{str(out_dir).rstrip('/')}/{kind}" for kind in outputs.kinds if kind in self.kinds)
        left = f", {self.num_left} were there" if self.num_left else ""
        lines = [f"{self.num_done} of {self.num_images} images segmented{left}" + (f": {folders}" if folders else "")]
        if self.num_replaced:
            lines.append(
                f"{self.num_replaced} results of other images with the same names were replaced; to keep both, choose"
                " another --out-dir"
            )
        if self.num_done:
            slowest = max(self.busy, key=lambda stage: self.busy[stage])
            stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in self.busy.items())
            speed = f"{self.seconds:.1f} s, {self.num_done / self.seconds:.3g} images/s"
            lines.append(f"{speed}; slowest stage: {slowest} ({stages})")
        if self.num_with_data:
            lines.append(describe_shares(self.shares, outputs.classes))
        return lines


def describe_shares(shares: np.ndarray, classes: Sequence[str]) -> str:
    """Return the line with the largest mean shares of classes.

    Args:
        shares: 0 to 1, shape (num_classes,).
        classes: names, in the order of their train ids.
    """
    order = sorted(zip(shares, classes, strict=True), reverse=True)
    largest = ", ".join(f"{name} {100 * share:.1f} %" for share, name in order[:8] if share >= 0.0005)
    return f"mean class shares: {largest}"


def progress_bar(console: Console, what: str = "images") -> Progress:
    """Return a bar with speed and time left, which is only shown on a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Speed(what), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not sys.stderr.isatty())


class _Speed(ProgressColumn):
    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:.2f} {self._what}/s")
