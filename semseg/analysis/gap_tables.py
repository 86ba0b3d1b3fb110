"""Write the measures of photographs without labels: tables, a list, and `gap.json`."""

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
    describe_differences,
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
"""The measures of every photograph, each 0 to 1, with a description."""
GOOD = {"score": -1, "confidence": 1, "entropy": -1, "flip_consistency": 1, "share_distance": -1}
"""1 if a high value means a good prediction, -1 if it means a bad one."""


class Side(NamedTuple):
    """The measured photographs of the folder or of the reference.

    Attributes:
        measured: most difficult first.
        features: by name as in `FEATURES`, float64, shape (images,).
        places: share of the reference that has a smaller value, by name of the feature, shape (images,).
        shares: class shares, shape (images, num_classes).
        truth: mIoU in percent, shape (images,), nan where it is not known.
    """

    measured: list[Measured]
    features: dict[str, np.ndarray]
    places: dict[str, np.ndarray]
    shares: np.ndarray
    truth: np.ndarray


def make_sides(
    folder: Sequence[Measured], reference: Sequence[Measured], truth: Mapping[Path, float]
) -> tuple[Side, Side]:
    """Return the features of the photographs of a folder and of a reference; failed photographs are left out.

    Args:
        folder: at least one of them was measured.
        reference: as `folder`.
        truth: known mIoU in percent, by resolved path.
    """
    reference_side = _make_side(reference, None, truth)
    return _make_side(folder, reference_side, truth), reference_side


def _make_side(photographs: Sequence[Measured], reference: Side | None, truth: Mapping[Path, float]) -> Side:
    """Return the features of photographs; None as `reference` means that they are the reference."""
    pairs = [(photograph, photograph.measures) for photograph in photographs if photograph.measures is not None]
    pairs.sort(key=lambda pair: -pair[1].score)
    shares = np.array([measures.shares for _, measures in pairs])
    features = {
        name: np.array([getattr(measures, name) for _, measures in pairs])
        for name in FEATURES
        if name != "share_distance"
    }
    reference_shares = shares if reference is None else reference.shares
    features["share_distance"] = distances_from(shares, reference_shares, within=reference is None)
    reference_features = features if reference is None else reference.features
    return Side(
        [photograph for photograph, _ in pairs],
        features,
        {name: places_in(values, reference_features[name]) for name, values in features.items()},
        shares,
        np.array([truth.get(photograph.source.path_on_disk.resolve(), np.nan) for photograph, _ in pairs]),
    )


def summarize(folder: Side, reference: Side, classes: Sequence[str]) -> dict[str, Any]:
    """Compare the photographs of the folder with those of the reference.

    Returns:
        The part of `gap.json` that is computed from the measures: means, class_shares, share_distance (of the mean
        class shares), words, and correlation: Spearman's, of each feature with mIoU, with the sign changed where
        needed, so that 1 is best; None without a known mIoU.
    """
    rows = compare_shares(classes, folder.shares, reference.shares)
    both = {"folder": folder, "reference": reference}
    return {
        "means": {
            name: {key: float(side.features[name].mean()) for key, side in both.items()}
            | {"place": float(folder.places[name].mean())}
            for name in FEATURES
        },
        "class_shares": [
            {
                "class": row.name,
                "folder": row.folder,
                "reference": row.reference,
                "difference": row.difference,
                "low": row.low,
                "high": row.high,
                "is_clear": row.is_clear,
            }
            for row in rows
        ],
        "share_distance": float(share_distance(folder.shares.mean(0), reference.shares.mean(0))),
        "words": describe_differences(rows),
        "correlation": _correlations(folder, reference),
    }


def _correlations(folder: Side, reference: Side) -> dict[str, dict[str, dict]] | None:
    groups = {"both": (folder, reference), "folder": (folder,), "reference": (reference,)}
    truth = {key: np.concatenate([side.truth for side in group]) for key, group in groups.items()}
    if not np.isfinite(truth["both"]).any():
        return None
    correlations: dict[str, dict[str, dict]] = {name: {} for name in FEATURES}
    for name in FEATURES:
        for key, group in groups.items():
            values = GOOD[name] * np.concatenate([side.features[name] for side in group])
            is_known = np.isfinite(truth[key])
            correlations[name][key] = rank_correlation(values[is_known], truth[key][is_known])._asdict()
    return correlations


def write_tables(
    out_dir: Path,
    folder: Side,
    reference: Side,
    failed: Mapping[str, Sequence[Measured]],
    chosen: Sequence[Measured],
    classes: Sequence[str],
) -> list[str]:
    """Write `images.csv`, `reference.csv` and `label_next.txt`.

    Args:
        out_dir: created if missing.
        folder, reference: the measured photographs.
        failed: photographs that could not be measured, by name of the table.
        chosen: the photographs of the list, from `choose_next`.
        classes: names.

    Returns:
        The names of the files.
    """
    with_truth = any(np.isfinite(side.truth).any() for side in (folder, reference))
    head = ["rank", "image", "path", "width", "height", "status", *FEATURES, *(f"{name}_place" for name in FEATURES)]
    head += [*(["mIoU"] if with_truth else []), *(f"share/{name}" for name in classes)]
    for name, side in (("images", folder), ("reference", reference)):
        rows = []
        for i, photograph in enumerate(side.measured):
            measures = [values[key][i] for values in (side.features, side.places) for key in FEATURES]
            truth = [side.truth[i]] if with_truth else []
            numbers = [f"{value:.6f}" if np.isfinite(value) else "" for value in (*measures, *truth, *side.shares[i])]
            rows.append([i + 1, *_identity(photograph), "ok", *numbers])
        rows += [["", *_identity(photograph), f"failed: {photograph.fault}"] for photograph in failed[name]]
        _write_table(out_dir / f"{name}.csv", head, rows)
    lines = [_line(photograph.source.path_on_disk, out_dir) for photograph in chosen]
    with atomic_path(out_dir / "label_next.txt") as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="surrogateescape")
    return ["images.csv", "reference.csv", "label_next.txt"]


def write_summary(out_dir: Path, summary: Mapping[str, Any]) -> None:
    """Write `gap.json`; call this last, so that the other files are complete when it exists."""
    with atomic_path(out_dir / "gap.json") as temporary:
        text = json.dumps({"schema": SCHEMA, **summary}, indent=1, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def write_keep_rates(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the number of kept pixels of each class as a table."""
    _write_table(path, list(rows[0]), [["" if value is None else value for value in row.values()] for row in rows])


def _identity(photograph: Measured) -> list:
    height_width = photograph.size or ("", "")
    return [photograph.source.name, photograph.source.path, *reversed(height_width)]


def _line(path: Path, out_dir: Path) -> str:
    """Return the line of a photograph in a list: its path relative to the real folder of the list."""
    line = os.path.relpath(path.absolute(), out_dir.resolve())
    return f"./{line}" if line.startswith("#") else line  # a line that starts with # is a comment


def _write_table(path: Path, head: Sequence[str], rows: Sequence[Sequence]) -> None:
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows([*row, *[""] * (len(head) - len(row))] for row in rows)
