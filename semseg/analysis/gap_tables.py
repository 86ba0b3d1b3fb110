"""What was measured on photographs without labels, as tables, lists and `gap.json`."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from semseg.analysis.gap import Measured
from semseg.analysis.gap_scores import (
    compare_shares,
    difference_in_words,
    distances_from,
    places_in,
    share_distance,
)
from semseg.analysis.rank_correlation import rank_correlation
from semseg.system.atomic import atomic_path

SCHEMA = "semseg.gap/1"
FEATURES = {
    "score": "expected to be missing from mIoU",
    "confidence": "mean probability of the winning class",
    "entropy": "mean entropy over log(number of classes)",
    "flip_consistency": "pixels that keep their class in the mirror image",
    "share_distance": "of its class shares from the reference",
}
"""What is said of every photograph, 0 to 1."""
GOOD = {"score": -1, "confidence": 1, "entropy": -1, "flip_consistency": 1, "share_distance": -1}
"""Whether a high value speaks for the prediction, or against it."""


class Side(NamedTuple):
    """The photographs of one side that could be measured, and what is said of them.

    Attributes:
        measured: hardest first.
        features: by name as in `FEATURES`, float64, shape (images,).
        places: where in the reference each lies: the share of it that has a smaller value; by name, shape
            (images,).
        shares: of the classes, shape (images, num_classes).
        truth: mIoU in percent of each, nan where it is not known.
    """

    measured: list[Measured]
    features: dict[str, np.ndarray]
    places: dict[str, np.ndarray]
    shares: np.ndarray
    truth: np.ndarray


def sides(folder: Sequence[Measured], reference: Sequence[Measured], truth: Mapping[Path, float]) -> tuple[Side, Side]:
    """Return what is said of the photographs of a folder and of a reference.

    Args:
        folder: measured, at least one of them without fault.
        reference: as `folder`.
        truth: mIoU in percent by resolved path, as far as it is known.
    """
    ordered = []
    for all_ in (folder, reference):
        sound = [one for one in all_ if one.measures is not None]
        ordered.append(sorted(sound, key=lambda one: -one.measures.score))
    shares = [np.array([one.measures.shares for one in side]) for side in ordered]
    features = [
        {
            name: distances_from(own, shares[1], within)
            if name == "share_distance"
            else np.array([getattr(one.measures, name) for one in side])
            for name in FEATURES
        }
        for side, own, within in zip(ordered, shares, (False, True), strict=True)
    ]
    return tuple(
        Side(
            side,
            own,
            {name: places_in(values, features[1][name]) for name, values in own.items()},
            share,
            np.array([truth.get(one.source.path.resolve(), np.nan) for one in side]),
        )
        for side, own, share in zip(ordered, features, shares, strict=True)
    )


def summarize(folder: Side, reference: Side, classes: Sequence[str]) -> dict[str, Any]:
    """Compare the two.

    Returns:
        The part of `gap.json` that follows from the measures: means, class_shares, share_distance (of the mean class
        shares), words, and correlation: Spearman's, of each feature with mIoU, turned so that 1 is best; without a
        known mIoU it is None.
    """
    rows = compare_shares(classes, folder.shares, reference.shares)
    known = {"folder": folder, "reference": reference}
    return {
        "means": {
            name: {side: float(one.features[name].mean()) for side, one in known.items()}
            | {"place": float(folder.places[name].mean())}
            for name in FEATURES
        },
        "class_shares": [
            {"class": row.name, "folder": row.folder, "reference": row.reference, "difference": row.difference,
             "low": row.low, "high": row.high, "is_clear": bool(row.is_clear)}
            for row in rows
        ],
        "share_distance": float(share_distance(folder.shares.mean(0), reference.shares.mean(0))),
        "words": difference_in_words(rows),
        "correlation": _correlations(folder, reference),
    }  # fmt: skip


def _correlations(folder: Side, reference: Side) -> dict[str, dict[str, dict]] | None:
    some = {"both": (folder, reference), "folder": (folder,), "reference": (reference,)}
    truth = {where: np.concatenate([side.truth for side in sides_]) for where, sides_ in some.items()}
    if not np.isfinite(truth["both"]).any():
        return None
    found = {}
    for name in FEATURES:
        found[name] = {}
        for where, sides_ in some.items():
            values = GOOD[name] * np.concatenate([side.features[name] for side in sides_])
            is_known = np.isfinite(truth[where])
            found[name][where] = rank_correlation(values[is_known], truth[where][is_known])._asdict()
    return found


def write_tables(out_dir: Path, folder: Side, reference: Side, failed: Mapping[str, Sequence[Measured]], top: int,
                 classes: Sequence[str]) -> list[str]:  # fmt: skip
    """Write `images.csv`, `reference.csv` and `label_next.txt`.

    Args:
        out_dir: is made.
        folder, reference: what is said of them.
        failed: by name of the table, what could not be measured.
        top: how many photographs the list names.
        classes: names.

    Returns:
        The names of the files.
    """
    with_truth = any(np.isfinite(side.truth).any() for side in (folder, reference))
    head = ["rank", "image", "path", "width", "height", "status", *FEATURES, *(f"{name}_place" for name in FEATURES)]
    head += [*(["mIoU"] if with_truth else []), *(f"share/{name}" for name in classes)]
    for name, side in (("images", folder), ("reference", reference)):
        rows = []
        for i, one in enumerate(side.measured):
            said = [values[key][i] for values in (side.features, side.places) for key in FEATURES]
            truth = [side.truth[i]] if with_truth else []
            numbers = [f"{value:.6f}" if np.isfinite(value) else "" for value in (*said, *truth, *side.shares[i])]
            rows.append([i + 1, *_identity(one), "ok", *numbers])
        rows += [["", *_identity(one), f"failed: {one.fault}"] for one in failed[name]]
        _write_table(out_dir / f"{name}.csv", head, rows)
    lines = [_line(one.source.path, out_dir) for one in folder.measured[:top]]
    with atomic_path(out_dir / "label_next.txt") as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="surrogateescape")
    return ["images.csv", "reference.csv", "label_next.txt"]


def write_account(out_dir: Path, account: Mapping[str, Any]) -> None:
    """Write `gap.json`, last: who finds it finds all."""
    with atomic_path(out_dir / "gap.json") as temporary:
        text = json.dumps({"schema": SCHEMA, **account}, indent=1, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def write_keep_rates(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what was kept of each class as a table."""
    _write_table(path, list(rows[0]), [["" if value is None else value for value in row.values()] for row in rows])


def _identity(one: Measured) -> list:
    return [one.source.name, one.source.path, *(reversed(one.size) if one.size else ("", ""))]


def _line(path: Path, out_dir: Path) -> str:
    """Name a photograph in a list, relative to the list, wherever links lead."""
    line = os.path.relpath(path.absolute(), out_dir.resolve())
    return f"./{line}" if line.startswith("#") else line  # no comment


def _write_table(path: Path, head: Sequence[str], rows: Sequence[Sequence]) -> None:
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows([*row, *[""] * (len(head) - len(row))] for row in rows)
