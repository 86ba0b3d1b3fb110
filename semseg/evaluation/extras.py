"""The breakdowns that an evaluation can add to its scores, by name, and the classes that count."""

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
"""Each is made with (num_classes, ignore_index), fed image by image with `update(predicted, target, scores)`, and asked
for its `summary()`. `scores` may be None where `needs_scores` is false. The `counts` of several objects, such as those
of several processes, are added up."""


def configure(cfg: Config, options: ScoresOptions) -> Patch:
    """Let the metric count breakdowns in the same pass, and say what absent classes count.

    Raises:
        ValueError: no such breakdown; it does not go with `tta`; or no ConfusionMetric counts.
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
            "`extras` calibration cannot go with `tta`: MMSegmentation keeps the scores of one view only",
            code="E-input-conflict",
        )

    def edit(edited: Config) -> None:
        for evaluator in counting_evaluators(edited, "`extras` and `absent` need"):
            evaluator.update(extras=names, **({} if options.absent is None else {"absent": options.absent}))

    return changes(cfg, edit)
