"""The scalars of a run over its iterations, as training wrote them."""

from __future__ import annotations

import csv
import difflib
import fnmatch
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semseg.errors import InvalidInputError, MissingInputError

MAIN_KEYS = ("loss", "lr", "mIoU", "aAcc")
"""What is shown of a run unless one asks for something else."""
_COUNTERS = {"iter", "step", "epoch"}
_LESS_IS_BETTER = re.compile("loss", re.IGNORECASE)
_MORE_IS_BETTER = re.compile("acc|iou|dice|fscore|f1|precision|recall", re.IGNORECASE)


class Curve(NamedTuple):
    """One scalar of a run.

    Attributes:
        iterations: int64, shape (n,), rising.
        values: float64, shape (n,); NaN and infinity stay what they are.
    """

    iterations: np.ndarray
    values: np.ndarray


def read_curves(work_dir: str | Path) -> dict[str, Curve]:
    """Read every scalar of a run, joined over the starts of a training that was resumed.

    Each start has a folder of its own, named after its time. From the first iteration that a later start wrote
    down, it replaces the earlier ones: what they had done beyond that is not part of the run. Of two lines about
    one iteration the later one counts.

    Args:
        work_dir: of a training, or the folder of one of its starts.

    Returns:
        The curves by key, such as `loss`, `lr`, `mIoU`, `IoU/person`, in the order in which they appear.

    Raises:
        FileNotFoundError: there is no such folder, or no scalar in it.
        ValueError: a line in the middle of a file is not JSON.
    """
    work_dir = Path(work_dir)
    if not work_dir.is_dir():
        raise MissingInputError(f"no folder {work_dir}; expected the work folder of a training")
    paths = sorted(work_dir.glob("*/vis_data/scalars.json")) or list(work_dir.glob("vis_data/scalars.json"))
    points: dict[str, dict[int, float]] = {}
    for path in paths:
        lines = _read_lines(path)
        first = min((iteration for iteration, _ in lines), default=None)
        if first is not None:
            points = {key: {i: v for i, v in values.items() if i < first} for key, values in points.items()}
        for iteration, scalars in lines:
            for key, value in scalars.items():
                points.setdefault(key, {})[iteration] = value
    points = {key: values for key, values in points.items() if values}
    if not points:
        raise MissingInputError(
            f"no scalar in {work_dir} (<start>/vis_data/scalars.json); expected the work folder of a training"
        )
    return {
        key: Curve(np.array(sorted(values), np.int64), np.array([values[i] for i in sorted(values)], np.float64))
        for key, values in points.items()
    }


def _read_lines(path: Path) -> list[tuple[int, dict[str, float]]]:
    """Return (iteration, scalars) of each line; a last line that was cut off counts as not written."""
    lines = path.read_text().splitlines()
    found = []
    for number, line in enumerate(lines, 1):
        try:
            scalars = json.loads(line)
        except ValueError:
            if number == len(lines):
                break
            raise InvalidInputError(f"{path}, line {number}: not JSON: {line[:40]!r}; remove the line") from None
        if not isinstance(scalars, dict) or not isinstance(scalars.get("step"), int):
            continue
        numbers = {k: v for k, v in scalars.items() if isinstance(v, (int, float)) and k not in _COUNTERS}
        found.append((scalars["step"], numbers))
    return found


def choose_keys(known: Iterable[str], wanted: Sequence[str] | None) -> list[str]:
    """Return the keys to show: those wanted, where `*` stands for any text, or else the main ones.

    Raises:
        ValueError: a wanted key is none of the known ones; the sentence lists those near it.
    """
    known = list(dict.fromkeys(known))
    if not wanted:
        return [key for key in MAIN_KEYS if key in known] or known[:4]
    chosen: list[str] = []
    for key in wanted:
        found = [key] if key in known else fnmatch.filter(known, key)
        if not found:
            raise InvalidInputError(f"no scalar {key!r} in these runs; {_near(key, known)}")
        chosen += found
    return list(dict.fromkeys(chosen))


def _near(word: str, known: Sequence[str]) -> str:
    by_folded = {key.casefold(): key for key in known}
    part_of = [key for folded, key in by_folded.items() if word.casefold() in folded]
    alike = [by_folded[near] for near in difflib.get_close_matches(word.casefold(), by_folded, 3, 0.6)]
    near = list(dict.fromkeys([*alike, *part_of]))[:5]
    return f"did you mean {', '.join(map(repr, near))}?" if near else f"there are {' '.join(groups(known))}"


def smoothed(curve: Curve, num_points: int) -> Curve:
    """Average each value with its neighbours.

    Args:
        curve: any.
        num_points: of the average, the point itself in the middle; fewer at the ends. Values that are not
            finite count for nothing.

    Returns:
        A new curve at the same iterations.
    """
    finite = np.isfinite(curve.values)
    window = np.ones(num_points)
    middle = slice((num_points - 1) // 2, (num_points - 1) // 2 + len(finite))
    total = np.convolve(np.where(finite, curve.values, 0), window)[middle]
    count = np.convolve(finite.astype(float), window)[middle]
    with np.errstate(invalid="ignore"):
        return Curve(curve.iterations, np.where(count > 0.5, total / count, np.nan))


def best_of(key: str, curve: Curve) -> tuple[int, float] | None:
    """Return iteration and value of the best point; None where better has no direction, as for `lr`.

    The lowest of a loss, the highest of a score; the first of equals.
    """
    finite = np.flatnonzero(np.isfinite(curve.values))
    if not len(finite):
        return None
    if _LESS_IS_BETTER.search(key):
        place = finite[np.argmin(curve.values[finite])]
    elif _MORE_IS_BETTER.search(key):
        place = finite[np.argmax(curve.values[finite])]
    else:
        return None
    return int(curve.iterations[place]), float(curve.values[place])


def table(runs: Mapping[str, Mapping[str, Curve]], keys: Sequence[str]) -> list[str]:
    """Return lines for the screen: the last and the best value of each key, with the iterations.

    Args:
        runs: curves by key, by the name of the run.
        keys: from `choose_keys`; a run without one leaves it out.
    """
    rows = [("", "", "last", "iteration", "best", "iteration")]
    for key in keys:
        for name, curves in runs.items():
            if key in curves:
                iterations, values = curves[key]
                best = best_of(key, curves[key])
                rest = (_short(best[1]), str(best[0])) if best else ("", "")
                rows.append((key, name, _short(values[-1]), str(iterations[-1]), *rest))
    columns = list(zip(*rows, strict=True))
    if len(runs) == 1:
        del columns[1]
    num_names = len(columns) - 4  # names stand left, numbers right
    widths = [max(map(len, column)) for column in columns]
    padded = [
        [cell.ljust(width) if i < num_names else cell.rjust(width) for cell in column]
        for i, (column, width) in enumerate(zip(columns, widths, strict=True))
    ]
    return ["  ".join(cells).rstrip() for cells in zip(*padded, strict=True)]


def groups(keys: Iterable[str]) -> list[str]:
    """Return keys for a short list, those of the classes as one: `IoU/*`."""
    return sorted({f"{key.partition('/')[0]}/*" if "/" in key else key for key in keys})


def _short(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1000 or not np.isfinite(value) else f"{value:.0f}"


def write_csv(runs: Mapping[str, Mapping[str, Curve]], keys: Sequence[str], path: Path) -> None:
    """Write a row per run and iteration: `run`, `iteration`, then a column per key; empty cell: not measured."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["run", "iteration", *keys])
        for name, curves in runs.items():
            columns = [
                dict(zip(*map(np.ndarray.tolist, curves[key]), strict=True)) if key in curves else {} for key in keys
            ]
            for iteration in sorted(set().union(*columns)):
                writer.writerow([name, iteration, *(column.get(iteration, "") for column in columns)])
