"""Write the figures of a comparison as tables: CSV and JSON."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semseg.analysis.comparison.figures import SCORES, Figures, Score
from semseg.analysis.comparison.plan import Plan
from semseg.checkpoints.facts import command_line, now
from semseg.system.atomic import atomic_path

SCHEMA = "semseg.comparison/1"


def table_rows(figures: Sequence[Figures]) -> list[dict[str, Any]]:
    """Return a row for each model, by name of the column; None where a value is not known.

    Scores are in percent. `mIoU_low` and `mIoU_high` are the 95 % interval for another choice of test images;
    `mIoU_std` is the standard deviation over the seeds.
    """
    rows = []
    for one in figures:
        row: dict[str, Any] = {
            "model": one.model.name,
            "seeds": len(one.seeds),
            "iterations": one.iters,
            "step_s": _rounded(one.step_s, 4),
            "train_minutes": _rounded(None if one.train_s is None else one.train_s / 60, 2),
            "parameters": one.num_parameters,
            "cpu_latency_ms": _rounded(1000 * one.latency["seconds"], 1),
            "cpu_latency_on": one.latency_machine,
            "peak_memory_mib": None if one.peak_bytes is None else one.peak_bytes >> 20,
        }
        for name in SCORES:
            score = one.scores[name]
            row[name] = _rounded(score.value)
            row |= {f"{name}_{end}": _rounded(getattr(score, end)) for end in ("low", "high")}
            row[f"{name}_std"] = _rounded(spread(score))
        row["behind_best"] = None if one.behind is None else _rounded(one.behind.value)
        classes = one.results[0].summary["classes"]
        row |= {f"IoU/{name}": _rounded(score.value) for name, score in zip(classes, one.classes, strict=True)}
        rows.append(row)
    return rows


def spread(score: Score) -> float | None:
    """Return the standard deviation over the seeds; None with one seed."""
    return float(np.std(score.seeds, ddof=1)) if len(score.seeds) > 1 else None


def write_tables(plan: Plan, figures: Sequence[Figures], failed: Mapping[str, str]) -> list[Path]:
    """Write `comparison.csv`, a row for each model, and `comparison.json`, with intervals and values of all seeds.

    Returns:
        Their paths.
    """
    csv_path, json_path = (plan.options.out_dir / f"comparison.{suffix}" for suffix in ("csv", "json"))
    rows = table_rows(figures)
    with atomic_path(csv_path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    content = {
        "schema": SCHEMA,
        "created": now(),
        "command": command_line(),
        "budget": plan.budget._asdict(),
        "data": plan.models[0].data,
        "classes": figures[0].results[0].summary["classes"],
        "models": [_plain_figures(one) for one in figures],
        "failed": dict(failed),
    }
    with atomic_path(json_path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return [csv_path, json_path]


def _plain_figures(one: Figures) -> dict[str, Any]:
    classes = one.results[0].summary["classes"]
    return {
        "model": one.model.name,
        "config": one.model.given,
        "seeds": list(one.seeds),
        "results": [str(results.folder) for results in one.results],
        "iterations": one.iters,
        "planned_step_s": one.planned_step_s,
        "step_s": one.step_s,
        "train_s": one.train_s,
        "parameters": one.num_parameters,
        "cpu_latency": {**one.latency, "machine": one.latency_machine},
        "machines": list(one.machines),
        "peak_memory_bytes": one.peak_bytes,
        "scores": {name: _plain_score(score) for name, score in one.scores.items()},
        "IoU": {name: _plain_score(score) for name, score in zip(classes, one.classes, strict=True)},
        "behind_best": None if one.behind is None else _plain_score(one.behind),
    }


def _plain_score(score: Score) -> dict[str, Any]:
    def plain(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {
        **{key: plain(getattr(score, key)) for key in ("value", "low", "high")},
        "seeds": [plain(value) for value in score.seeds],
    }


def _rounded(value: float | None, digits: int = 2) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, digits)
