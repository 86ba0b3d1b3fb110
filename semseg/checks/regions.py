"""Check the regions of interest of a set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from semseg.checks.findings import Finding, format_count, list_files, make_finding
from semseg.checks.parts import Part
from semseg.datasets.file_facts import ImageFacts
from semseg.datasets.roi_facts import RoiFacts

_TURNED = range(5, 9)  # EXIF orientations that swap width and height


def check_rois(part: Part, rois: Sequence[tuple[Path, RoiFacts, Path, ImageFacts]]) -> list[Finding]:
    """Find regions of another size than their image, and those without any pixel inside.

    Args:
        part: whose regions they are.
        rois: path and facts of each readable region and its readable image.
    """
    unequal, empty = [], []
    for path, roi, image_path, image in rois:
        (width, height), (image_width, image_height) = (_seen_size(part, facts) for facts in (roi, image))
        if (width, height) != (image_width, image_height):
            unequal.append((path, f"{width}x{height}, its image {image_path.name} {image_width}x{image_height}"))
        elif not roi.num_inside:
            empty.append((path, "no pixel inside"))
    findings = []
    if unequal:
        message = (
            f"{format_count(len(unequal), len(rois), 'regions of interest have another size than their image')}, first"
            f" {list_files(unequal, 1)}; scale them with nearest neighbour, or find the right image"
        )
        findings.append(make_finding("error", "roi-sizes", part.split, unequal, len(rois), message))
    if empty:
        message = (
            f"{format_count(len(empty), len(rois), 'regions of interest are 0 everywhere')}, so all pixels of their"
            f" images are ignored, first {empty[0][0]}; draw them, or remove these images"
        )
        findings.append(make_finding("warning", "roi-empty", part.split, empty, len(rois), message))
    return findings


def _seen_size(part: Part, facts: RoiFacts | ImageFacts) -> tuple[int, int]:
    """Return width and height as training sees them."""
    is_turned = part.rules.exif == "apply" and facts.orientation in _TURNED
    return (facts.height, facts.width) if is_turned else (facts.width, facts.height)
