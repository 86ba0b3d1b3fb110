"""How folders of masks are read as train ids: by a list of classes, a dataset.yaml, or the values in the masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semseg.datasets.dataset_file import DatasetFile, read_dataset_file
from semseg.datasets.image_files import listed, most_frequent, read_mask, stored_values
from semseg.datasets.importers.class_lists import read_classes
from semseg.datasets.masks import decode_mask
from semseg.datasets.roi import is_inverted
from semseg.errors import InvalidDataError, InvalidInputError
from semseg.evaluation.options import FoldersOptions
from semseg.labels import IGNORED, distinct_colors
from semseg.system.worker_pool import run_all

BINARY = ("background", "object")
_SIDES = ("predictions", "targets")
_UNKNOWN = 254  # a stored value that no class has


@dataclass(frozen=True, eq=False)
class Reading:
    """How the masks of one side become train ids.

    Attributes:
        num_classes: stored values are train ids from 0 to num_classes - 1; 255 is ignored in targets, and no class in
            predictions.
        is_binary: masks of 0 and 255: 255 is train id 1.
        rules: the masks are read by these rules of a dataset.yaml instead.
        hint: what to do if a mask does not fit.
    """

    num_classes: int
    is_binary: bool = False
    rules: DatasetFile | None = None
    hint: str = ""

    def read(self, path: Path) -> np.ndarray:
        """Return train ids, uint8, shape (height, width).

        Raises:
            ValueError: it is no mask of this kind.
        """
        if self.rules is not None:
            return decode_mask(path, self.rules)
        values = read_values(path)
        table = np.full(256, _UNKNOWN, np.uint8)
        table[: self.num_classes] = np.arange(self.num_classes)
        table[IGNORED] = 1 if self.is_binary else IGNORED
        train_ids = table[values]
        outside = train_ids == _UNKNOWN
        if outside.any():
            unknown = most_frequent(*np.unique(values[outside], return_counts=True))
            raise InvalidDataError(
                f"{path} holds values outside 0..{self.num_classes - 1} and {IGNORED}: {listed(unknown)}; {self.hint}",
                code="E-data-mask-values",
            )
        return train_ids


def read_values(path: Path) -> np.ndarray:
    """Return the stored values of a mask: uint8, shape (height, width); those of a grey RGB picture are its grey.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is not a mask of one channel.
    """
    image = read_mask(path)
    if image.format == "JPEG":
        raise InvalidDataError(f"{path} is a JPEG, which changes labels near edges; export PNG", code="E-data-encoding")
    if image.mode == "RGB":
        channels = np.asarray(image)
        if (channels == channels[..., :1]).all():
            return channels[..., 0]
        raise InvalidDataError(
            f"{path} holds colours; give `classes` with a dataset.yaml of encoding: rgb", code="E-data-encoding"
        )
    return stored_values(image, str(path))


def choose_readings(
    rows: Sequence[Mapping[str, Path]], options: FoldersOptions, num_processes: int
) -> tuple[tuple[str, ...], Sequence, dict[str, Reading], list[str]]:
    """Return the names of the classes, their colours, how each side is read, and what was assumed.

    Args:
        rows: paths of `predictions` and `targets` of each picture.
        options: classes, and how predictions are stored.
        num_processes: most processes that read masks.

    Raises:
        FileNotFoundError, ValueError: as in `read_classes`; or the values of the masks do not fit.
    """
    if options.classes is None:
        if options.like_targets:
            raise InvalidInputError(
                "`like_targets` has no effect without a dataset.yaml as `classes`; leave it out",
                code="E-input-no-effect",
            )
        return _readings_of_values(rows, num_processes)
    found = read_classes(str(options.classes))
    rules = _rules_of(Path(options.classes))
    if rules is None:
        if options.like_targets:
            raise InvalidInputError(
                f"`like_targets` has no effect with {options.classes}, which is no dataset.yaml; leave it out",
                code="E-input-no-effect",
            )
        _refuse_binary(rows, found.names, num_processes)
        reading = Reading(len(found.names), hint=f"{options.classes} names {len(found.names)} classes")
        return found.names, found.colors, {"predictions": reading, "targets": reading}, []
    if rules.encoding == "ids" and IGNORED not in rules.label_map:
        _refuse_binary(rows, rules.classes, num_processes)
    by_rules = Reading(len(rules.classes), rules=rules)
    if options.like_targets:
        note = f"predictions and targets are read by the rules of {options.classes}"
        return rules.classes, rules.palette, {"predictions": by_rules, "targets": by_rules}, [note]
    hint = "give `like_targets` if the predictions are stored as the targets are"
    if rules.label_map.get(IGNORED, IGNORED) != IGNORED and _values_of(rows, "predictions", num_processes)[IGNORED]:
        raise InvalidDataError(
            f"predictions hold {IGNORED}, which is no class in train ids, and {options.classes} gives it to"
            f" {rules.classes[rules.label_map[IGNORED]]}; {hint}",
            code="E-data-mask-values",
        )
    note = f"targets are read by the rules of {options.classes}; predictions hold train ids, positions in its classes"
    readings = {"predictions": Reading(len(rules.classes), hint=hint), "targets": by_rules}
    return rules.classes, rules.palette, readings, [note]


def _refuse_binary(rows: Sequence[Mapping[str, Path]], classes: Sequence[str], num_processes: int) -> None:
    """Raise an error for targets of 0 and 255 where 255 is ignored: only class 0 would be left."""
    values = _values_of(rows, "targets", num_processes)
    if values.keys() <= {0, IGNORED} and values[IGNORED] and len(classes) > 1:
        raise InvalidDataError(
            f"the targets hold only 0 and {IGNORED}, and {IGNORED} is ignored: leave out `classes` for background and"
            f" object, or give a dataset.yaml with label_map: {{{IGNORED}: {classes[1]}}}",
            code="E-data-mask-values",
        )


def _rules_of(path: Path) -> DatasetFile | None:
    """Return the rules of a dataset.yaml; None for a list of classes."""
    if path.suffix not in (".yaml", ".yml"):
        return None
    try:
        return read_dataset_file(path)
    except InvalidDataError:
        return None


def _readings_of_values(
    rows: Sequence[Mapping[str, Path]], num_processes: int
) -> tuple[tuple[str, ...], Sequence, dict[str, Reading], list[str]]:
    """Choose the classes by the values that the masks hold."""
    values = {kind: set(_values_of(rows, kind, num_processes)) for kind in _SIDES}
    every = values["predictions"] | values["targets"]
    is_binary = IGNORED in every and all(found <= {0, IGNORED} or found <= {0, 1} for found in values.values())
    if is_binary:
        shown = {kind: "0 and 255" if IGNORED in found else _join(found) for kind, found in values.items()}
        note = (
            f"no classes given; predictions hold only {shown['predictions']}, targets only {shown['targets']}: two"
            f" classes, {BINARY[0]} (0) and {BINARY[1]} (the other value)"
        )
        readings = {kind: Reading(2, is_binary=IGNORED in found) for kind, found in values.items()}
        return BINARY, ((0, 0, 0), (255, 255, 255)), readings, [note]
    num_classes = max(every - {IGNORED}, default=-1) + 1
    if num_classes > _UNKNOWN:
        raise InvalidDataError(
            f"masks hold the value {_UNKNOWN}, which belongs to no class; give `classes`", code="E-data-mask-values"
        )
    if num_classes < 2:
        raise InvalidDataError(
            f"no classes given, and the masks hold only {_join(every)}: nothing to compare; give `classes`",
            code="E-data-mask-values",
        )
    note = f"no classes given: the values 0 to {num_classes - 1} are classes, and 255 in targets is ignored"
    names = tuple(f"class {train_id}" for train_id in range(num_classes))
    reading = Reading(num_classes)
    return names, distinct_colors(num_classes), {"predictions": reading, "targets": reading}, [note]


def _join(values: set[int]) -> str:
    return " and ".join(map(str, sorted(values)))


def _values_of(rows: Sequence[Mapping[str, Path]], kind: str, num_processes: int) -> Counter[int]:
    """Return the number of pixels of each value that the masks of a side hold."""
    counts: Counter[int] = Counter()
    for found in run_all(_count_values, [row[kind] for row in rows], num_processes):
        counts.update(found)
    return counts


def _count_values(path: Path) -> dict[int, int]:
    counts = np.bincount(read_values(path).ravel(), minlength=256)
    if not counts[2:].any() and is_inverted(read_mask(path)):
        raise InvalidDataError(
            f"{path} stores 0 for white and 1 for black, so 0 would not be the background; convert it to greyscale",
            code="E-data-encoding",
        )
    return {int(value): int(counts[value]) for value in counts.nonzero()[0]}
