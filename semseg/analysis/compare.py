"""Compare two models on the same images: the differences of their scores, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from semseg.errors import InvalidInputError
from semseg.evaluation import scores
from semseg.evaluation.bootstrap import paired_intervals
from semseg.evaluation.confusion import Areas
from semseg.evaluation.results import Results


class Difference(NamedTuple):
    """The difference of one score between two runs; nan where it is not defined.

    Attributes:
        name: of the score or class.
        first, second: values of the two runs, in percent.
        low, high: 95 % interval of second - first in percentage points, from the same draws of images for both.
    """

    name: str
    first: float
    second: float
    low: float
    high: float

    @property
    def value(self) -> float:
        """second - first."""
        return self.second - self.first

    @property
    def is_sure(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


class Comparison(NamedTuple):
    """The differences between two runs.

    Attributes:
        scores: of the whole set.
        classes: IoU of each class.
        images: aAcc of each image, without interval, the largest loss first.
    """

    scores: list[Difference]
    classes: list[Difference]
    images: list[Difference]


def compare(first: Results, second: Results) -> Comparison:
    """Compare two runs that were tested on the same images.

    Raises:
        ValueError: the runs differ in classes, images or ground truth, or count absent classes differently.
    """
    names = check_comparable(first, second)
    absent = first.summary["absent"]["convention"]
    first_areas, second_areas = first.confusions.areas(), second.confusions.areas()

    def all_scores(areas: Areas) -> dict[str, np.ndarray]:
        return {**scores.means(areas, absent), "IoU": scores.iou(areas)}

    values = [all_scores(areas.sum()) for areas in (first_areas, second_areas)]
    intervals = paired_intervals(first_areas, second_areas, all_scores)

    def differences(key: str, labels: Sequence[str]) -> list[Difference]:
        columns = [np.atleast_1d(column).tolist() for column in (values[0][key], values[1][key], *intervals[key])]
        return [Difference(*row) for row in zip(labels, *columns, strict=True)]

    means = [differences(key, [key])[0] for key in values[0] if key != "IoU"]
    accuracies = zip(names, scores.a_acc(first_areas).tolist(), scores.a_acc(second_areas).tolist(), strict=True)
    images = [Difference(name, before, after, np.nan, np.nan) for name, before, after in accuracies]
    images = sorted((image for image in images if not np.isnan(image.value)), key=lambda image: image.value)
    return Comparison(means, differences("IoU", first.summary["classes"]), images)


def to_plain_data(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as dicts and lists, which `json.dumps` accepts; None where a score is not defined."""
    return {
        part: [
            {
                key: None if isinstance(value, float) and value != value else value
                for key, value in {**difference._asdict(), "difference": difference.value}.items()
            }
            for difference in differences
        ]
        for part, differences in comparison._asdict().items()
    }


def check_comparable(first: Results, second: Results) -> tuple[str, ...]:
    """Raise a ValueError unless two runs can be compared; return the names of their images."""
    if first.summary["classes"] != second.summary["classes"]:
        raise InvalidInputError(
            f"{first.folder} and {second.folder} have different classes: test both on the same data set",
            code="E-input-incomparable",
        )
    names = first.confusions.images
    if names != second.confusions.images:
        unshared = sorted(set(names) ^ set(second.confusions.images))
        raise InvalidInputError(
            f"{first.folder} and {second.folder} hold different images ({len(unshared)} are in one only, first "
            f"{unshared[0]}): test both on the same split",
            code="E-input-incomparable",
        )
    if len(names) < 2:
        raise InvalidInputError(
            f"{first.folder} holds {len(names)} image; a comparison needs two or more", code="E-input-incomparable"
        )
    truths = [results.confusions.areas().truth for results in (first, second)]
    differing = [name for name, same in zip(names, (truths[0] == truths[1]).all(1), strict=True) if not same]
    if differing:
        raise InvalidInputError(
            f"{len(differing)} of {len(names)} images have a different ground truth in {second.folder} than in"
            f" {first.folder}, first {differing[0]}: test both again on the same labels and at the same size",
            code="E-input-incomparable",
        )
    conventions = [results.summary["absent"]["convention"] for results in (first, second)]
    if conventions[0] != conventions[1]:
        raise InvalidInputError(
            f"absent classes count as {conventions[0]} in one run, as {conventions[1]} in the other: test one again"
            " with the other's --absent",
            code="E-input-incomparable",
        )
    return names
