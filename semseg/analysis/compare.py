"""Two models on the same images: what became better, and how sure that is."""

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
    """Of one score, in percent points; nan where it is not defined.

    Attributes:
        name: of the score or class.
        first, second: of the two runs, in percent.
        low, high: 95 % interval of second - first, from the same draws of images for both.
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
        """Whether the interval leaves out zero."""
        return bool(self.low > 0 or self.high < 0)


class Comparison(NamedTuple):
    """Attributes:
    scores: of the set.
    classes: IoU of each class.
    images: aAcc of each image, sorted by the difference: worst first; without interval.
    """

    scores: list[Difference]
    classes: list[Difference]
    images: list[Difference]


def compare(first: Results, second: Results) -> Comparison:
    """Compare two runs over the images that both have seen: all of them.

    Raises:
        ValueError: they know other classes, images, truths, or count absent classes differently.
    """
    names = _same(first, second)
    absent = first.summary["absent"]["convention"]
    areas = [results.confusions.areas() for results in (first, second)]
    totals = [some.sum() for some in areas]

    def headline(some: Areas) -> dict[str, np.ndarray]:
        return {**scores.means(some, absent), "IoU": scores.iou(some)}

    values = [headline(total) for total in totals]
    ends = paired_intervals(*areas, headline)

    def differences(key: str, labels: Sequence[str]) -> list[Difference]:
        columns = [np.atleast_1d(column) for column in (values[0][key], values[1][key], *ends[key])]
        return [Difference(*row) for row in zip(labels, *(column.tolist() for column in columns), strict=True)]

    means = [differences(key, [key])[0] for key in values[0] if key != "IoU"]
    by_image = zip(names, *(scores.a_acc(some).tolist() for some in areas), strict=True)
    images = [Difference(*row, np.nan, np.nan) for row in by_image]
    images = sorted((image for image in images if image.value == image.value), key=lambda image: image.value)
    return Comparison(means, differences("IoU", first.summary["classes"]), images)


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return it as plain data; None where a score is not defined."""
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


def _same(first: Results, second: Results) -> tuple[str, ...]:
    """Return the images, after a look whether the two can be compared."""
    if first.summary["classes"] != second.summary["classes"]:
        raise InvalidInputError(
            f"{first.folder} and {second.folder} have other classes: test both on the same data set"
        )
    names = first.confusions.images
    if names != second.confusions.images:
        only = sorted(set(names) ^ set(second.confusions.images))
        raise InvalidInputError(
            f"{first.folder} and {second.folder} hold other images ({len(only)} are in one only, first {only[0]}): test"
            " both on the same split"
        )
    if len(names) < 2:
        raise InvalidInputError(f"{first.folder} holds {len(names)} image; a comparison needs two or more")
    truths = [results.confusions.areas().truth for results in (first, second)]
    differing = [name for name, same in zip(names, (truths[0] == truths[1]).all(1), strict=True) if not same]
    if differing:
        raise InvalidInputError(
            f"{len(differing)} of {len(names)} images have another truth in {second.folder} than in {first.folder},"
            f" first {differing[0]}: test both again on the same labels and at the same size"
        )
    conventions = [results.summary["absent"]["convention"] for results in (first, second)]
    if conventions[0] != conventions[1]:
        raise InvalidInputError(
            f"absent classes count as {conventions[0]} in one run, as {conventions[1]} in the other: test one again"
            " with the other's --absent"
        )
    return names
