"""Record what became of each image: in the tables, the summary and the progress bar of a run."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console

from semseg.inference.manifest import OK, Manifest
from semseg.inference.outputs import Outputs
from semseg.inference.recorded_outputs import describe_outputs
from semseg.inference.run_summary import Summary, progress_bar
from semseg.inference.sources import SourceImage
from semseg.system.stopping import Stopped
from semseg.system.wording import for_people


class ImageResult(NamedTuple):
    """An image that was segmented and written.

    Attributes:
        source: the file.
        paths: of the results.
        size: of the image: height, width.
        seconds: of work.
        confidence: mean over the pixels with data, 0 to 1; None if it was not computed.
        shares: of each class, 0 to 1, shape (num_classes,).
        is_deep: whether the file stores 16 bits.
        capture: where and when the photograph was taken, columns of `stats.csv`.
    """

    source: SourceImage
    paths: Sequence[Path]
    size: tuple[int, int]
    seconds: float
    confidence: float | None
    shares: np.ndarray
    is_deep: bool
    capture: Mapping[str, object]


class Recorder:
    """Records images; its methods may be called from any thread.

    Args:
        outputs: where results are written.
        manifest: gets a row per image.
        summary: gets the counts and times; modified.
        stop_on_error: raise at the first image that failed.

    Attributes:
        bar: shows the progress; a context manager.
    """

    def __init__(self, outputs: Outputs, manifest: Manifest, summary: Summary, stop_on_error: bool) -> None:
        self._outputs, self._manifest, self._summary = outputs, manifest, summary
        self._stop_on_error = stop_on_error
        self._lock = threading.Lock()  # of the summary
        self._console = Console(stderr=True)
        self.bar = progress_bar(self._console)
        self._task = self.bar.add_task("infer", total=None)

    def start(self, num_images: int) -> None:
        """Set the number of images that will be recorded."""
        self.bar.update(self._task, total=num_images)

    def advance(self, num_images: float = 1.0) -> None:
        """Move the progress bar by a number of images, which may be a fraction or negative."""
        self.bar.advance(self._task, num_images)

    def add_time(self, stage: str, seconds: float) -> None:
        """Add the time that a stage needed: `read`, `predict` or `write`."""
        with self._lock:
            self._summary.busy[stage] += seconds

    def add_done(self, result: ImageResult) -> None:
        """Record an image that was segmented and written."""
        height, width = result.size
        names = {"source": result.source.path, "name": result.source.name.as_posix()}
        row = {
            **names,
            **describe_outputs(result.paths, self._outputs.out_dir),
            "width": width,
            "height": height,
            "seconds": f"{result.seconds:.3f}",
            "status": OK,
            "mean_confidence": "" if result.confidence is None else f"{result.confidence:.4f}",
        }
        shares = {name: f"{share:.6f}" for name, share in zip(self._outputs.classes, result.shares, strict=True)}
        self._manifest.add(row, {**names, **result.capture, **shares})
        with self._lock:
            self._summary.num_done += 1
            self._summary.kinds |= {path.relative_to(self._outputs.out_dir).parts[0] for path in result.paths}
            self._summary.num_with_data += bool(result.shares.any())
            self._summary.num_deep += result.is_deep
            self._summary.shares = self._summary.shares + result.shares

    def add_failed(self, source: SourceImage, reason: str) -> None:
        """Record an image that could not be read, segmented or written, and print why.

        Raises:
            Stopped: with `stop_on_error`.
        """
        reason = for_people(" ".join(reason.split()))
        self._console.print(f"skipped {source.path}: {reason}", markup=False, highlight=False, soft_wrap=True)
        self._manifest.add({"source": source.path, "name": source.name.as_posix(), "status": f"failed: {reason}"})
        with self._lock:
            self._summary.failed.append(source.path)
        self.advance()
        if self._stop_on_error:
            raise Stopped(f"stopped at {source.path}: {reason} (--on-error skip goes on)", 1)
