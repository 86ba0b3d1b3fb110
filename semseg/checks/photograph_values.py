"""Check whether photographs can be converted to RGB of 8 bits, with the reader that training uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from semseg.checks.findings import Finding, format_count, make_finding
from semseg.checks.parts import Part
from semseg.datasets.bit_depth import MOST_BITS, Depth, used_bits
from semseg.datasets.file_facts import ImageFacts


def check_values(part: Part, images: Sequence[tuple[Path, ImageFacts]]) -> list[Finding]:
    """Report photographs of an unsupported kind, and 16-bit photographs for which the bits in use are unknown.

    Args:
        part: has the number of bits in use; not checked if other code loads its photographs.
        images: the readable ones.
    """
    if not part.reads_rgb:
        return []
    refused = [(path, facts.refusal) for path, facts in images if facts.refusal]
    sixteen_bits = [(path, facts) for path, facts in images if facts.depth and not facts.refusal]
    dim, exceeding = [], []
    for path, facts in sixteen_bits:
        depth = Depth(*facts.depth)
        try:
            used_bits(depth, facts.stated_bits, part.bits)
        except ValueError as error:
            (dim if part.bits is None else exceeding).append((depth, path, str(error)))
    findings = []
    if refused:
        path, refusal = refused[0]
        count = format_count(len(refused), len(images), "photographs")
        message = f"{count} cannot be read as RGB, first {path}: it {refusal}"
        if "band" in refusal:
            message += "; or name them as bands: in a dataset.yaml, which reads any number"
        findings.append(make_finding("error", "image-kind", part.split, refused, len(images), message))
    for code, rows in (("image-bits", dim), ("image-above-bits", exceeding)):
        if rows:
            depth, path, sentence = max(rows, key=lambda row: row[0].highest)
            count = format_count(len(rows), len(sixteen_bits), "photographs of 16 bits")
            if code == "image-bits":
                bits = depth.looks_like
                message = (
                    f"{count} never exceed {(1 << bits) - 1} (highest"
                    f" value {depth.highest}, {path}): they seem to use {bits} bits, and would be read as nearly"
                    f" black; set bits: {bits} {_suggest_place(part)} ({MOST_BITS} if they are only dark)"
                )
            else:
                message = f"{count} do not fit bits: {part.bits}, first {path}: it {sentence}"
            worst = [(row[1], f"highest value {row[0].highest}") for row in rows]
            findings.append(make_finding("error", code, part.split, worst, len(sixteen_bits), message))
    if part.bits is not None and images and not sixteen_bits and not refused:
        message = f"bits: {part.bits} has no effect: none of {len(images)} photographs stores 16 bits; leave it out"
        findings.append(Finding("warning", "bits-unused", part.split, 0, len(images), message))
    return findings


def _suggest_place(part: Part) -> str:
    if part.described_in is not None:
        return f"in {part.described_in}"
    return "in a dataset.yaml, and pass it as `data`, or set it at LoadPhotograph in the config"
