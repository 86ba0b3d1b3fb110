"""The breakdowns that an evaluation can add to its scores, by name."""

from __future__ import annotations

from semseg.evaluation.boundary import BoundaryIoU, Trimap
from semseg.evaluation.calibration import Calibration
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
