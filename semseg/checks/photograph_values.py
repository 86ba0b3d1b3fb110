"""Whether photographs hold values that become RGB of 8 bits, by the rules of the reader that training uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from semseg.checks.file_facts import ImageFacts
from semseg.checks.findings import Finding, found, share
from semseg.checks.parts import Part
from semseg.datasets.bit_depth import MOST_BITS, Depth, used_bits


def check_values(part: Part, images: Sequence[tuple[Path, ImageFacts]]) -> list[Finding]:
    """Report photographs of a kind that is not read, and 16-bit ones whose bits in use are not known.

    Args:
        part: knows how many bits are in use; one whose photographs are loaded by something else is not checked.
        images: that could be read.
    """
    if not part.reads_rgb:
        return []
    refused = [(path, facts.refusal) for path, facts in images if facts.refusal]
    deep = [(path, facts) for path, facts in images if facts.depth and not facts.refusal]
    dim, exceeding = [], []
    for path, facts in deep:
        depth = Depth(*facts.depth)
        try:
            used_bits(depth, facts.stated_bits, part.bits)
        except ValueError as error:
            (dim if part.bits is None else exceeding).append((depth, path, str(error)))
    findings = []
    if refused:
        path, refusal = refused[0]
        message = f"{share(len(refused), len(images), 'photographs')} cannot be read as RGB, first {path}: it {refusal}"
        findings.append(found("error", "image-kind", part.split, refused, len(images), message))
    for code, rows in (("image-bits", dim), ("image-above-bits", exceeding)):
        if rows:
            depth, path, sentence = max(rows, key=lambda row: row[0].highest)
            if code == "image-bits":
                bits = depth.looks_like
                message = (
                    f"{share(len(rows), len(deep), 'photographs of 16 bits')} never exceed {(1 << bits) - 1} (highest"
                    f" value {depth.highest}, {path}): they seem to use {bits} bits, and would be read as nearly"
                    f" black; set bits: {bits} {_place_of(part)} ({MOST_BITS} if they are only dark)"
                )
            else:
                message = (
                    f"{share(len(rows), len(deep), 'photographs of 16 bits')} do not fit bits: {part.bits}, first"
                    f" {path}: it {sentence}"
                )
            worst = [(row[1], f"highest value {row[0].highest}") for row in rows]
            findings.append(found("error", code, part.split, worst, len(deep), message))
    if part.bits is not None and images and not deep and not refused:
        message = f"bits: {part.bits} has no effect: none of {len(images)} photographs stores 16 bits; leave it out"
        findings.append(Finding("warning", "bits-unused", part.split, 0, len(images), message))
    return findings


def _place_of(part: Part) -> str:
    if part.described_in is not None:
        return f"in {part.described_in}"
    return "in a dataset.yaml, and give that to --data, or set it at LoadPhotograph in the config"
