"""Whether a pipeline leaves anything of pictures that are very narrow."""

from __future__ import annotations

from collections.abc import Sequence

from semseg.checks.findings import Finding, found, named, share
from semseg.checks.parts import Part
from semseg.checks.pictures import Image
from semseg.datasets.scaling import smallest_size


def check_scaled_sizes(part: Part, images: Sequence[Image]) -> list[Finding]:
    """Find images of which a resizing step would leave less than one row or column of pixels."""
    rows = []
    for path, facts in images:
        for step in part.resizes if facts.width and facts.height else ():
            width, height = smallest_size((facts.width, facts.height), step)
            if not width or not height:
                rows.append((path, f"{facts.width}x{facts.height} becomes {width}x{height} by {step['type']}"))
                break
    if not rows:
        return []
    message = (
        f"{share(len(rows), len(images), 'images')} are too narrow for the pipeline, first {named(rows, 1)}; cut them"
        " into shorter pieces, or remove them"
    )
    return [found("error", "too-narrow", part.split, rows, len(images), message)]
