"""Additional breakdowns of the scores of an evaluation, by name, and the treatment of absent classes."""

from __future__ import annotations

from mmengine.config import Config

from semseg.config.metrics import counting_evaluators
from semseg.config.patch import Patch, changes
from semseg.errors import InvalidInputError
from semseg.evaluation.boundary import BoundaryIoU, Trimap
from semseg.evaluation.calibration import Calibration
from semseg.evaluation.options import ScoresOptions
from semseg.evaluation.regions import ImageRows, ObjectSizes

EXTRAS = {
    "boundary": BoundaryIoU,
    "trimap": Trimap,
    "sizes": ObjectSizes,
    "rows": ImageRows,
    "calibration": Calibration,
}
"""Each class is constructed with (num_classes, ignore_index), updated for each image by `update(predicted, target,
scores)`, and read by `summary()`. `scores` may be None if `needs_scores` is false. The `counts` of several objects,
such as those of several processes, are added."""


def configure(cfg: Config, options: ScoresOptions) -> Patch:
    """Add breakdowns to the metric, and set how it counts absent classes.

    Raises:
        ValueError: the breakdown is unknown or cannot be used with `tta`, or the config has no ConfusionMetric.
    """
    if options.extras is None and options.absent is None:
        return Patch()
    names = [] if options.extras is None else list(EXTRAS) if options.extras == "all" else options.extras.split(",")
    unknown = [name for name in names if name not in EXTRAS]
    if unknown:
        raise InvalidInputError(
            f"`extras` {unknown[0]!r} is not one of {', '.join(EXTRAS)}, all", code="E-input-choice"
        )
    if options.tta and any(EXTRAS[name].needs_scores for name in names):
        raise InvalidInputError(
            "`extras` calibration cannot be used with `tta`: MMSegmentation keeps the scores of one view only",
            code="E-input-conflict",
        )

    def edit(edited: Config) -> None:
        for evaluator in counting_evaluators(edited, "`extras` and `absent` need"):
            evaluator.update(extras=names, **({} if options.absent is None else {"absent": options.absent}))

    notes = [f"also counted: {', '.join(names)}"] if names else []
    notes += [] if options.absent is None else [f"absent classes: {options.absent}"]
    return changes(cfg, edit, *notes)
