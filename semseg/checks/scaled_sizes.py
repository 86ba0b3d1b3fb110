"""Check whether very narrow pictures keep at least one pixel when a pipeline scales them."""

from __future__ import annotations

from collections.abc import Sequence

from semseg.checks.findings import Finding, format_count, list_files, make_finding
from semseg.checks.parts import Part
from semseg.checks.pictures import Image
from semseg.datasets.scaling import smallest_size


def check_scaled_sizes(part: Part, images: Sequence[Image]) -> list[Finding]:
    """Find images that a resizing step would scale to less than one row or column of pixels."""
    rows = []
    for path, facts in images:
        for step in part.resizes if facts.width and facts.height else ():
            width, height = smallest_size((facts.width, facts.height), step)
            if not width or not height:
                rows.append((path, f"{facts.width}x{facts.height} becomes {width}x{height} by {step['type']}"))
                break
    if not rows:
        return []
    count = format_count(len(rows), len(images), "images")
    message = (
        f"{count} are too narrow for the pipeline, first {list_files(rows, 1)};"
        " cut them into shorter pieces, or remove them"
    )
    return [make_finding("error", "too-narrow", part.split, rows, len(images), message)]
