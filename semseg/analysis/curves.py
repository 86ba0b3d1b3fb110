"""Read the scalars that a training logged, over its iterations."""

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
"""The scalars that are shown by default."""
_COUNTERS = {"iter", "step", "epoch"}
_LESS_IS_BETTER = re.compile("loss", re.IGNORECASE)
_MORE_IS_BETTER = re.compile("acc|iou|dice|fscore|f1|precision|recall", re.IGNORECASE)


class Curve(NamedTuple):
    """One scalar of a run.

    Attributes:
        iterations: int64, shape (n,), increasing.
        values: float64, shape (n,); may contain NaN and infinity.
    """

    iterations: np.ndarray
    values: np.ndarray


def read_curves(work_dir: str | Path) -> dict[str, Curve]:
    """Read all scalars of a run; the parts of a resumed training are joined.

    Each start of a training has its own folder, named after its time. A later start replaces the earlier ones from
    its first logged iteration on, because it repeats their work from there. If an iteration is logged twice, the later
    line is used.

    Args:
        work_dir: the work folder of a training, or the folder of one of its starts.

    Returns:
        Curves by key, such as `loss`, `lr`, `mIoU`, `IoU/person`, in the order of the file.

    Raises:
        FileNotFoundError: there is no such folder, or it has no scalars.
        ValueError: a line other than the last one is not JSON.
    """
    work_dir = Path(work_dir)
    if not work_dir.is_dir():
        raise MissingInputError(f"no folder {work_dir}; expected the work folder of a training", code="E-input-missing")
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
            f"no scalar in {work_dir} (<start>/vis_data/scalars.json); expected the work folder of a training",
            code="E-input-missing",
        )
    return {
        key: Curve(np.array(sorted(values), np.int64), np.array([values[i] for i in sorted(values)], np.float64))
        for key, values in points.items()
    }


def _read_lines(path: Path) -> list[tuple[int, dict[str, float]]]:
    """Return (iteration, scalars) of each line; an incomplete last line is ignored."""
    lines = path.read_text().splitlines()
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            scalars = json.loads(line)
        except ValueError:
            if number == len(lines):
                break
            raise InvalidInputError(
                f"{path}, line {number}: not JSON: {line[:40]!r}; remove the line", code="E-input-unreadable"
            ) from None
        if not isinstance(scalars, dict) or not isinstance(scalars.get("step"), int):
            continue
        numbers = {k: v for k, v in scalars.items() if isinstance(v, (int, float)) and k not in _COUNTERS}
        entries.append((scalars["step"], numbers))
    return entries


def choose_keys(known: Iterable[str], wanted: Sequence[str] | None) -> list[str]:
    """Return the keys to show: those that match `wanted` (`*` matches any text), by default the main ones.

    Raises:
        ValueError: a wanted key matches no known one; the message suggests similar ones.
    """
    known = list(dict.fromkeys(known))
    if not wanted:
        return [key for key in MAIN_KEYS if key in known] or known[:4]
    chosen: list[str] = []
    for key in wanted:
        matches = [key] if key in known else fnmatch.filter(known, key)
        if not matches:
            raise InvalidInputError(f"no scalar {key!r} in these runs; {_suggest(key, known)}", code="E-input-key")
        chosen += matches
    return list(dict.fromkeys(chosen))


def _suggest(word: str, known: Sequence[str]) -> str:
    by_folded = {key.casefold(): key for key in known}
    containing = [key for folded, key in by_folded.items() if word.casefold() in folded]
    similar = [by_folded[match] for match in difflib.get_close_matches(word.casefold(), by_folded, 3, 0.6)]
    near = list(dict.fromkeys([*similar, *containing]))[:5]
    return f"did you mean {', '.join(map(repr, near))}?" if near else f"there are {' '.join(groups(known))}"


def smoothed(curve: Curve, num_points: int) -> Curve:
    """Average each value with its neighbours.

    Args:
        curve: any.
        num_points: of the average, with the point itself in the middle; fewer at the ends. Values that are not
            finite are left out.

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
    """Return iteration and value of the best point; None for a scalar without a better direction, such as `lr`.

    The best is the minimum of a loss and the maximum of a score; of equal values, the first.
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
    """Return the lines of a table: the last and the best value of each key, with their iterations.

    Args:
        runs: curves by key, by the name of the run.
        keys: from `choose_keys`; keys that a run does not have are skipped.
    """
    rows = [["", "", "last", "iteration", "best", "iteration"]]
    for key in keys:
        for name, curves in runs.items():
            if key in curves:
                iterations, values = curves[key]
                best = best_of(key, curves[key])
                best_cells = (_short(best[1]), str(best[0])) if best else ("", "")
                rows.append([key, name, _short(values[-1]), str(iterations[-1]), *best_cells])
    columns = list(zip(*rows, strict=True))
    if len(runs) == 1:
        del columns[1]
    num_names = len(columns) - 4  # names are aligned left, numbers right
    widths = [max(map(len, column)) for column in columns]
    padded = [
        [cell.ljust(width) if i < num_names else cell.rjust(width) for cell in column]
        for i, (column, width) in enumerate(zip(columns, widths, strict=True))
    ]
    return ["  ".join(cells).rstrip() for cells in zip(*padded, strict=True)]


def groups(keys: Iterable[str]) -> list[str]:
    """Shorten a list of keys: those of the classes become one, `IoU/*`."""
    return sorted({f"{key.partition('/')[0]}/*" if "/" in key else key for key in keys})


def _short(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1000 or not np.isfinite(value) else f"{value:.0f}"


def write_csv(runs: Mapping[str, Mapping[str, Curve]], keys: Sequence[str], path: Path) -> None:
    """Write a row per run and iteration: `run`, `iteration`, then a column per key, empty where it was not logged."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["run", "iteration", *keys])
        for name, curves in runs.items():
            columns = [
                dict(zip(*map(np.ndarray.tolist, curves[key]), strict=True)) if key in curves else {} for key in keys
            ]
            for iteration in sorted(set().union(*columns)):
                writer.writerow([name, iteration, *(column.get(iteration, "") for column in columns)])
