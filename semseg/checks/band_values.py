"""Check pictures with `bands`: can the bands be read, are they the same in all pictures, are values in their range."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from semseg.checks.findings import Finding, format_count, make_finding
from semseg.checks.parts import Part
from semseg.datasets.file_facts import BandFacts, ImageFacts

_MANY_OUTSIDE = 0.05  # share of the values


def check_band_values(part: Part, images: Sequence[tuple[Path, ImageFacts]]) -> list[Finding]:
    """Report pictures that lack a band or cannot be read, differences between them, and values outside the range.

    Args:
        part: of a dataset.yaml with `bands`.
        images: those that are complete.
    """
    assert part.rules.bands is not None
    findings = []
    numbers = list(part.rules.bands.numbers)
    refused = [(path, facts.refusal) for path, facts in images if facts.refusal]
    if refused:
        path, refusal = refused[0]
        count = format_count(len(refused), len(images), "pictures")
        message = f"{count} cannot be read with bands: {numbers}, first {path}: it {refusal}"
        findings.append(make_finding("error", "image-kind", part.split, refused, len(images), message))
    read = [(path, BandFacts(*facts.bands)) for path, facts in images if facts.bands]
    for what, values in (
        ("numbers of bands", [facts.num_bands for _, facts in read]),
        ("types of values", [facts.dtype for _, facts in read]),
    ):
        counts = Counter(values).most_common()
        if len(counts) > 1:
            usual = counts[0][0]
            rows = [(path, str(value)) for (path, _), value in zip(read, values, strict=True) if value != usual]
            kinds = ", ".join(f"{value} in {count}" for value, count in counts)
            message = (
                f"pictures have different {what}: {kinds}, first other {rows[0][0]}; check that bands: {numbers} are"
                " the same bands in all of them"
            )
            findings.append(make_finding("warning", "image-bands", part.split, rows, len(read), message))
    empty = [(path, "no data") for path, facts in read if not facts.num_valid]
    if empty:
        count = format_count(len(empty), len(read), "pictures")
        message = f"{count} have no data in any pixel, first {empty[0][0]}; remove these pairs"
        findings.append(make_finding("warning", "image-empty", part.split, empty, len(read), message))
    return findings + _check_range(part, read)


def _check_range(part: Part, read: Sequence[tuple[Path, BandFacts]]) -> list[Finding]:
    total = sum(facts.num_valid for _, facts in read)
    below, above = (sum(getattr(facts, name) for _, facts in read) for name in ("num_below", "num_above"))
    if not below + above:
        return []
    rows = sorted(
        ((path, facts.num_below + facts.num_above) for path, facts in read if facts.num_below + facts.num_above),
        key=lambda row: -row[1],
    )
    message = (
        f"{below} values lie below their range and {above} above it, {(below + above) / total:.2%} of all, worst"
        f" {rows[0][0]} ({rows[0][1]}); they are clipped"
    )
    is_much = below + above > _MANY_OUTSIDE * total
    message += "; set range: to the values that the pictures have" if is_much else ""
    worst = [(path, f"{count} values") for path, count in rows]
    kind = "warning" if is_much else "note"
    return [make_finding(kind, "image-range", part.split, worst, len(read), message)]
