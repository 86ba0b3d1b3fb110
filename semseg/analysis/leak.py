"""Measure by how much related pictures in training and test flatter a score.

Two measures, of which the second is the fair one:

* One test: the pictures whose drive, sequence or patient is in the training set too, against the others. The two sets
  show different things, so a part of the difference may have other reasons.
* Two tests of the same pictures: a model that was trained on groups of the tested pictures, and one that was trained
  on as many pictures of other groups. Only the leak differs, so the difference of the scores is what it gives.

The intervals are a bootstrap over groups, because pictures of a group are not independent. With fewer than 8 groups,
blocks of neighbouring pictures are drawn instead (block bootstrap, Carlstein 1986), of the length sqrt(n) for n
pictures. Such an interval tells about other pictures of the same groups, not about other groups.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semseg.analysis.compare import Difference, check_comparable
from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.groups.propose import describe_sizes, propose
from semseg.datasets.groups.rules import AUTO, apply_rule
from semseg.datasets.pairs import find_pairs
from semseg.errors import InvalidInputError
from semseg.evaluation import scores
from semseg.evaluation.bootstrap import intervals, paired_intervals, unpaired_intervals
from semseg.evaluation.confusion import Areas
from semseg.evaluation.results import Results
from semseg.system.folders import absolute_path, natural_key

_LEAST_GROUPS = 8  # from which a bootstrap over groups is used


class Part(NamedTuple):
    """Scores of a part of the tested pictures, in percent; nan where a score is not defined.

    Attributes:
        name: `all images`, `groups seen in training`, `other groups`.
        num_groups: groups of the part.
        num_images: pictures of the part.
        unit: what the bootstrap draws, in words.
        scores: by name, value and both ends of the 95 % interval.
    """

    name: str
    num_groups: int
    num_images: int
    unit: str
    scores: Mapping[str, tuple[float, float, float]]


class Training(NamedTuple):
    """The training set of a tested model.

    Attributes:
        path: its dataset.yaml.
        num_images: pictures of its split train.
        num_related: those whose group is among the tested pictures.
    """

    path: Path
    num_images: int
    num_related: int


class Leak(NamedTuple):
    """The measured leak.

    Attributes:
        results: one or two tests, the first one of the model that may have seen related pictures.
        trainings: of these models.
        evidence: what tells the groups, in words.
        is_sure: whether the groups are given, or confirmed.
        shared: group -> pictures in the first training, tested pictures; only groups that are in both.
        parts: all tested pictures, those of groups seen in training, the others; a part without pictures is left out.
        seen_less_unseen: mIoU over the classes that both parts have; None unless there are both.
        scores: differences first test - second test; their `first` is the second test. Empty with one test.
        classes: IoU of each class, as `scores`.
        without: scores of the second test on all pictures; None with one.
        unit: what the bootstrap of `scores` draws.
    """

    results: Sequence[Results]
    trainings: Sequence[Training]
    evidence: str
    is_sure: bool
    shared: Mapping[str, tuple[int, int]]
    parts: Sequence[Part]
    seen_less_unseen: Difference | None
    scores: Sequence[Difference]
    classes: Sequence[Difference]
    without: Part | None
    unit: str

    def doubts(self) -> list[str]:
        """Return what makes the difference of two tests unfair, in sentences without full stop."""
        if len(self.trainings) < 2:
            return []
        sizes = [training.num_images for training in self.trainings]
        sentences = []
        if sizes[0] != sizes[1]:
            sentences.append(
                f"the trainings have {sizes[0]} and {sizes[1]} images; a part of the difference is due to that"
            )
        iterations = [results.summary["run"].get("iteration") for results in self.results]
        if iterations[0] != iterations[1]:
            sentences.append(f"the models were trained for {iterations[0]} and {iterations[1]} iterations")
        return sentences


def measure(results: Sequence[Results], data_paths: Sequence[Path], group_by: str = AUTO) -> Leak:
    """Measure the leak of one test, or of two tests on the same pictures.

    Args:
        results: of one or two tests, that of the model with related training pictures first.
        data_paths: the dataset.yaml of the training of each.
        group_by: `auto`, or another rule, see `group_rule`.

    Raises:
        InvalidDataError: no groups are found, or a dataset.yaml has no split train.
        InvalidInputError: the tests cannot be compared, or the second model has seen tested groups too.
    """
    first = results[0]
    tested = [absolute_path(row["path"]) for row in first.images]
    trained = [
        [absolute_path(pair.image_path) for pair in find_pairs(read_dataset_file(path), "train").pairs]
        for path in data_paths
    ]
    group_of, evidence, is_sure = _group([*tested, *(path for paths in trained for path in paths)], group_by)
    groups = [group_of[path] for path in tested]
    trainings = [
        Training(path, len(paths), sum(group_of[one] in set(groups) for one in paths))
        for path, paths in zip(data_paths, trained, strict=True)
    ]
    in_training, in_test = Counter(group_of[path] for path in trained[0]), Counter(groups)
    shared = {group: (in_training[group], in_test[group]) for group in in_test if group and group in in_training}
    areas, absent = first.confusions.areas(), first.summary["absent"]["convention"]

    def all_scores(areas: Areas) -> dict[str, np.ndarray]:
        return {**scores.means(areas, absent), "IoU": scores.iou(areas)}

    seen = np.array([group in shared for group in groups])
    parts = [_score_part("all images", areas, groups, tested, np.ones(len(groups), bool), all_scores)]
    both = bool(seen.any() and not seen.all())
    if both:
        parts.append(_score_part("groups seen in training", areas, groups, tested, seen, all_scores))
        parts.append(_score_part("other groups", areas, groups, tested, ~seen, all_scores))
    difference = _compare_parts(areas, groups, tested, seen) if both else None
    means, classes, without_leak = [], [], None
    units, unit = _units(groups, tested)
    if len(results) > 1:
        second = results[1]
        check_comparable(first, second)
        if trainings[1].num_related:
            raise InvalidInputError(
                f"the training of {second.folder} has {trainings[1].num_related} images of tested groups too; the"
                " second test is of a model that has seen none: divide the set by groups, and train again",
                code="E-input-incomparable",
            )
        other = second.confusions.areas()
        without_leak = _score_part("all images", other, groups, tested, np.ones(len(groups), bool), all_scores)
        sides = _add_up(other, units), _add_up(areas, units)
        ends = paired_intervals(*sides, all_scores)
        values = [all_scores(one.sum()) for one in sides]
        means = [_difference(key, values, ends, ()) for key in values[0] if key != "IoU"]
        classes = [
            _difference("IoU", values, ends, (i,))._replace(name=name)
            for i, name in enumerate(first.summary["classes"])
        ]
    return Leak(results, trainings, evidence, is_sure, shared, parts, difference, means, classes, without_leak, unit)


def _group(paths: Sequence[Path], group_by: str) -> tuple[dict[Path, str], str, bool]:
    """Return the group of each picture, what tells them, and whether that is sure."""
    unique = list(dict.fromkeys(paths))
    if group_by == AUTO:
        grouping = propose(unique)
        return dict(zip(unique, grouping.groups, strict=True)), grouping.evidence, grouping.is_sure
    shared = Path(os.path.commonpath([path.parent for path in unique]))
    named = apply_rule(group_by, unique, shared)
    return dict(zip(unique, named, strict=True)), f"{group_by}: {describe_sizes(named)}", True


def _score_part(
    name: str,
    areas: Areas,
    groups: Sequence[str],
    paths: Sequence[Path],
    is_member: np.ndarray,
    all_scores: Callable[[Areas], dict[str, np.ndarray]],
) -> Part:
    chosen, own_groups, own_paths = _select(areas, groups, paths, is_member)
    units, unit = _units(own_groups, own_paths)
    summed = _add_up(chosen, units)
    values = all_scores(chosen.sum())
    ends = intervals(summed, all_scores) if len(summed.truth) > 1 else {}
    named = {}
    for key in ("mIoU", "aAcc", "mAcc"):
        low, high = ends.get(key, (math.nan, math.nan))
        named[key] = (float(values[key]), float(low), float(high))
    return Part(name, len(set(own_groups)), len(own_groups), unit, named)


def _compare_parts(areas: Areas, groups: Sequence[str], paths: Sequence[Path], seen: np.ndarray) -> Difference:
    """Compare pictures of seen groups with the others, by the mIoU over the classes that both have in the truth."""
    chosen = [_select(areas, groups, paths, is_member) for is_member in (~seen, seen)]
    totals = [own.sum() for own, _, _ in chosen]
    unseen_side, seen_side = (_add_up(own, _units(own_groups, own_paths)[0]) for own, own_groups, own_paths in chosen)
    shared = (totals[0].truth > 0) & (totals[1].truth > 0)

    def mean_iou(areas: Areas) -> dict[str, np.ndarray]:
        return {"mIoU": scores.mean_of_defined(scores.iou(Areas(*(field[..., shared] for field in areas))))}

    values = [mean_iou(total) for total in totals]
    ends: Mapping[str, tuple] = {"mIoU": (np.array(math.nan), np.array(math.nan))}
    if min(len(unseen_side.truth), len(seen_side.truth)) > 1:
        ends = unpaired_intervals(unseen_side, seen_side, mean_iou)
    return _difference("mIoU", values, ends, ())


def _difference(
    key: str, values: Sequence[Mapping[str, np.ndarray]], ends: Mapping[str, tuple], place: tuple[int, ...]
) -> Difference:
    return Difference(key, *(float(np.asarray(one)[place]) for one in (values[0][key], values[1][key], *ends[key])))


def _select(
    areas: Areas, groups: Sequence[str], paths: Sequence[Path], is_member: np.ndarray
) -> tuple[Areas, list[str], list[Path]]:
    indices = [int(index) for index in np.flatnonzero(is_member)]
    return Areas(*(field[indices] for field in areas)), [groups[i] for i in indices], [paths[i] for i in indices]


def _units(groups: Sequence[str], paths: Sequence[Path]) -> tuple[np.ndarray, str]:
    """Return the unit of the bootstrap that each picture belongs to, numbered from 0, and what it is."""
    names = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    if len(names) >= _LEAST_GROUPS:
        return np.array([names[group] for group in groups]), "groups"
    length = max(1, math.isqrt(len(groups)))
    units, count = np.zeros(len(groups), int), 0
    for group in names:
        members = [index for index, own in enumerate(groups) if own == group]
        members.sort(key=lambda index: natural_key(paths[index]))
        for place, index in enumerate(members):
            units[index] = count + place // length
        count += -(-len(members) // length)
    return units, f"blocks of {length} neighbouring images" if length > 1 else "images"


def _add_up(areas: Areas, units: np.ndarray) -> Areas:
    """Add up the areas of each unit."""
    summed = []
    for field in areas:
        total = np.zeros((int(units.max()) + 1, field.shape[1]), np.int64)
        np.add.at(total, units, field)
        summed.append(total)
    return Areas(*summed)
