"""Score a folder of masks against another one, without a model: other programs' predictions, or a second observer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from semseg.datasets.index_png import write_index_png
from semseg.datasets.roi import ignore_outside
from semseg.errors import InvalidDataError, InvalidInputError
from semseg.evaluation.confusion import Confusions, count_pixels, entries_of
from semseg.evaluation.mask_pairs import Matched, match_files
from semseg.evaluation.mask_readings import Reading, choose_readings
from semseg.evaluation.options import FoldersOptions
from semseg.evaluation.results import Evaluation
from semseg.labels import IGNORED
from semseg.system.worker_pool import run_all

KINDS = ("predictions", "targets", "roi")
_FEW_FILES = 32  # with fewer, starting another process costs more time than it saves

OnProgress = Callable[[int, int], None]


class FolderScores(NamedTuple):
    """The counts of two folders of masks.

    Attributes:
        evaluation: the counts, from which all scores are computed.
        matched: which files belong together; its names are the images of `evaluation`.
        notes: what was assumed, one sentence each.
        num_outside: number of pixels outside of the regions of interest.
        num_unassigned: number of counted pixels whose prediction is 255, which counts as wrong.
    """

    evaluation: Evaluation
    matched: Matched
    notes: tuple[str, ...]
    num_outside: int
    num_unassigned: int


def evaluate_folders(
    predictions: Path,
    targets: Path,
    options: FoldersOptions,
    num_processes: int = 1,
    on_progress: OnProgress | None = None,
) -> FolderScores:
    """Count the confusion matrix of each picture of two folders of masks.

    Args:
        predictions: folder of the masks to score.
        targets: folder of the truth.
        options: regions of interest, classes, and ends of the names.
        num_processes: most processes that read masks.
        on_progress: called with the number of pictures done, and the total.

    Raises:
        FileNotFoundError: a folder or file is missing.
        ValueError: files have no partner, or differ in size; or masks hold values that belong to no class.
    """
    folders = {"predictions": predictions, "targets": targets}
    if options.roi_dir is not None:
        folders["roi"] = Path(options.roi_dir)
    elif options.roi_suffix:
        raise InvalidInputError("`roi_suffix` has no effect without `roi_dir`; give both", code="E-input-no-effect")
    suffixes = {"predictions": options.prediction_suffix, "targets": options.target_suffix, "roi": options.roi_suffix}
    matched = match_files(folders, suffixes)
    rows = list(matched.files.values())
    processes = num_processes if len(rows) > _FEW_FILES else 1
    classes, palette, readings, notes = choose_readings(rows, options, processes)
    out_dir = None if options.out_dir is None else Path(options.out_dir)
    count = partial(_count, readings, palette, out_dir)
    counted = run_all(count, list(matched.files.items()), processes, on_progress)
    entries = {name: row[:3] for name, row in zip(matched.files, counted, strict=True)}
    confusions = Confusions.of(entries, len(classes))
    matrix = confusions.total()
    if not matrix.any():
        raise InvalidDataError(
            f"no pixel of {len(rows)} targets counts: all are {IGNORED} or outside of the regions of interest",
            code="E-data-empty",
        )
    evaluation = Evaluation(classes, palette, IGNORED, "zero", confusions, {})
    return FolderScores(evaluation, matched, tuple(notes), sum(row[3] for row in counted), int(matrix[:, -1].sum()))


def _count(
    readings: Mapping[str, Reading], palette: Sequence, out_dir: Path | None, item: tuple[str, Mapping[str, Path]]
) -> tuple[tuple[int, ...], np.ndarray, np.ndarray, int]:
    """Return size, cells and counts of one picture (see `Confusions`), and the number of pixels outside of its roi."""
    name, paths = item
    predicted, target = (readings[kind].read(paths[kind]) for kind in KINDS[:2])
    num_outside = 0
    if "roi" in paths:
        rules = readings["targets"].rules
        exif = "apply" if rules is None else rules.exif
        counted = ignore_outside(np.zeros_like(target), paths["roi"], exif, paths["targets"])
        num_outside = int((counted == IGNORED).sum())
        target = np.where(counted == IGNORED, counted, target)
    try:
        matrix = count_pixels(
            torch.from_numpy(predicted), torch.from_numpy(target), readings["targets"].num_classes, IGNORED
        ).numpy()
    except InvalidInputError as error:
        raise InvalidInputError(f"{paths['predictions']} and {paths['targets']}: {error}", code=error.code) from error
    if out_dir is not None:
        for kind, train_ids in (("predicted", predicted), ("target", target)):
            write_index_png(out_dir / kind / f"{name}.png", train_ids, palette, 1)
    return target.shape, *entries_of(matrix), num_outside
