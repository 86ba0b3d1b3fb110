"""Write the suspicious regions as a table and as JSON."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from semseg.analysis.suspects.find import Findings, Suspect
from semseg.system.atomic import atomic_path

SCHEMA = "semseg.suspects/1"


def suspect_rows(suspects: Sequence[Suspect], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return the suspects as plain data, the worst first; the box is in pixels of the picture."""
    return [
        {
            "rank": rank,
            "score": round(suspect.score, 4),
            "image": str(suspect.pair.image_path),
            "mask": None if suspect.pair.mask_path is None else str(suspect.pair.mask_path),
            "kind": suspect.kind,
            "given": classes[suspect.given],
            "suggested": classes[suspect.suggested],
            **dict(zip(("left", "top", "width", "height"), suspect.box, strict=True)),
            "area_px": suspect.area_px,
            "given_probability": round(suspect.given_probability, 4),
            "suggested_probability": round(suspect.suggested_probability, 4),
        }
        for rank, suspect in enumerate(suspects, 1)
    ]


def class_rows(findings: Findings, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return a summary by given class: its regions, those that are contradicted, its listed suspects."""
    suggestions = Counter((suspect.given, suspect.suggested) for suspect in findings.suspects)
    rows = []
    for train_id, name in enumerate(classes):
        own = {suggested: count for (given, suggested), count in suggestions.items() if given == train_id}
        rows.append(
            {
                "class": name,
                "regions": int(findings.num_regions[train_id]),
                "contradicted": int(findings.num_contradicted[train_id]),
                "contradicted_parts": int(findings.num_parts[train_id]),
                "listed": sum(own.values()),
                "most_often_suggested": classes[max(own, key=own.__getitem__)] if own else None,
            }
        )
    return rows


def write_tables(out_dir: Path, account: Mapping[str, Any]) -> None:
    """Write `suspects.csv` and `suspects.json`.

    Args:
        out_dir: created if missing.
        account: content of the JSON file; `suspects` are the rows of the table.
    """
    with (
        atomic_path(out_dir / "suspects.csv") as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(account["suspects"])
    with atomic_path(out_dir / "suspects.json") as temporary:
        text = json.dumps({"schema": SCHEMA, **account}, indent=1, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


COLUMNS = (
    *("rank", "score", "image", "mask", "kind", "given", "suggested", "left", "top", "width", "height"),
    *("area_px", "given_probability", "suggested_probability"),
)
"""Of the table."""
