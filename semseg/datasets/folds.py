"""Divide a split into folds for cross-validation, so that related pictures stay together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from semseg.datasets.dataset_file import DatasetFile, read_dataset_file
from semseg.datasets.dataset_writing import write_division
from semseg.datasets.groups.propose import propose
from semseg.datasets.groups.rules import AUTO, apply_rule
from semseg.datasets.pairs import Pair, find_pairs
from semseg.datasets.split import assign
from semseg.errors import InvalidDataError, InvalidInputError
from semseg.system.folders import absolute_path

EACH = "picture"
"""The rule by which each picture is a group of its own."""


def group_pictures(rules: DatasetFile, pairs: Sequence[Pair], group_by: str | None = None) -> tuple[str, Sequence[str]]:
    """Return what tells that pictures belong together, and the group of each pair.

    Args:
        rules: of the set.
        pairs: of one split.
        group_by: a rule, see `group_rule`; `picture` makes each picture a group. Default: the groups that
            `groups.propose` finds; if it finds none, each picture is one.

    Raises:
        ValueError: the rule does not match a picture, or is none.
    """
    if group_by is None or group_by == AUTO:
        try:
            grouping = propose([absolute_path(pair.image_path) for pair in pairs])
        except InvalidDataError:
            if group_by == AUTO:
                raise
            group_by = EACH
        else:
            return grouping.evidence.partition(";")[0], grouping.groups
    if group_by == EACH:
        return EACH, [str(pair.image_path) for pair in pairs]
    return group_by, apply_rule(group_by, [pair.image_path for pair in pairs], rules.root)


def divide_into_folds(
    rules: DatasetFile, num_folds: int, split: str = "train", group_by: str | None = None
) -> tuple[str, list[list[Pair]]]:
    """Divide the pictures of a split into folds of about the same size; the result depends on nothing else.

    Args:
        rules: of the set.
        num_folds: 2 or more.
        split: to divide.
        group_by: see `group_pictures`.

    Returns:
        The rule, and the pairs of each fold, sorted.

    Raises:
        ValueError: there are fewer groups than folds, or fewer than two folds.
    """
    if num_folds < 2:
        raise InvalidInputError(f"`folds` {num_folds}: expected 2 or more", code="E-input-range")
    pairs = find_pairs(rules, split).pairs
    rule, groups = group_pictures(rules, pairs, group_by)
    sizes: dict[str, int] = {}
    for group in groups:
        sizes[group] = sizes.get(group, 0) + 1
    if len(sizes) < num_folds:
        raise InvalidDataError(
            f"`folds` {num_folds}: {len(pairs)} pictures of split {split!r} form {len(sizes)}"
            f" group{'s' * (len(sizes) != 1)} ({rule}); ask for fewer folds, or give another `group_by`",
            code="E-data-groups",
        )
    fold_of = assign(sizes, {str(fold): 1 / num_folds for fold in range(num_folds)})
    folds: list[list[Pair]] = [[] for _ in range(num_folds)]
    for pair, group in zip(pairs, groups, strict=True):
        folds[int(fold_of[group])].append(pair)
    return rule, [sorted(fold) for fold in folds]


def write_fold(
    source: str | Path, fold: int, num_folds: int, folder: Path, group_by: str | None = None
) -> tuple[Path, str]:
    """Write the dataset.yaml of a fold: it trains on the other folds, and validates and tests on this one.

    Args:
        source: the dataset.yaml whose split `train` is divided; its other splits are not used.
        fold: 1 to `num_folds`.
        num_folds: see `divide_into_folds`.
        folder: to write to.
        group_by: see `group_pictures`.

    Returns:
        The path of the new dataset.yaml, and the rule.
    """
    rules = read_dataset_file(source)
    rule, folds = divide_into_folds(rules, num_folds, group_by=group_by)
    if not 1 <= fold <= num_folds:
        raise InvalidInputError(f"`fold` {fold}: expected 1 to {num_folds}", code="E-input-range")
    others = sorted(pair for i, pairs in enumerate(folds, 1) if i != fold for pair in pairs)
    path = folder / "dataset.yaml"
    write_division(rules.path, {"train": others, "val": folds[fold - 1]}, path)
    return path, rule
