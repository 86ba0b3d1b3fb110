"""The findings of a check, as sentences for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from semseg.system.atomic import atomic_path
from semseg.system.wording import listing

KINDS = ("error", "warning", "note")
JSON_VERSION = 1
NUM_SHOWN = 3  # files in a sentence
_NUM_KEPT = 20  # files in the JSON
_EVERY_FILE = ("unreadable", "decompression-bomb", "damaged", "images-without-mask", "no-pair")

Worst = tuple[tuple[Path, str], ...]


@dataclass(frozen=True)
class Finding:
    """One fault, with all files that have it.

    Attributes:
        kind: `error` (a training would fail, or its scores would be wrong), `warning` (it may be intended), or `note`.
        code: a stable name, such as `mask-values`.
        split: train, val, test; `train, val` for what concerns both; empty for the whole set.
        count: files with the fault.
        total: files that were checked.
        message: one sentence: the count, the worst files, the suspected cause, what to do.
        worst: files and what is wrong with each, the worst first.
    """

    kind: str
    code: str
    split: str
    count: int
    total: int
    message: str
    worst: Worst = ()

    def line(self) -> str:
        """Return the split and the message as one line, without the kind."""
        return f"{self.split}: {self.message}" if self.split else self.message


@dataclass(frozen=True)
class Report:
    """All findings of a check.

    Attributes:
        source: the config or dataset.yaml.
        deep: whether every image was decoded.
        splits: number of pairs by split.
        findings: errors first.
        num_read: files that were opened.
        num_remembered: files that have not changed since an earlier check read them.
    """

    source: str
    deep: bool
    splits: dict[str, int]
    findings: tuple[Finding, ...]
    num_read: int
    num_remembered: int

    def of_kind(self, *kinds: str) -> list[Finding]:
        """Return the findings of these kinds."""
        return [finding for finding in self.findings if finding.kind in kinds]

    def lines(self) -> list[str]:
        """Return the findings as aligned lines, and a summary as the last line."""
        counts = [(len(self.of_kind(kind)), kind) for kind in KINDS]
        kinds = ", ".join(f"{count} {kind}{'s' * (count > 1)}" for count, kind in counts if count)
        pairs = ", ".join(f"{count} pairs of {split}" for split, count in self.splits.items()) or "no pair"
        return [
            *(f"{finding.kind:7}  {finding.line()}" for finding in self.findings),
            f"{self.source}: {kinds or 'no finding'}; {pairs};"
            f" {self.num_read} files read, {self.num_remembered} known from before",
        ]

    def write_json(self, path: Path) -> None:
        """Write the report as JSON, atomically. `version` rises when a key changes its meaning."""
        content = {
            "version": JSON_VERSION,
            "source": self.source,
            "deep": self.deep,
            "splits": self.splits,
            "files_read": self.num_read,
            "files_remembered": self.num_remembered,
            "findings": [
                {
                    **vars(finding),
                    "worst": [{"path": str(file), "detail": detail} for file, detail in finding.worst],
                }
                for finding in self.findings
            ],
        }
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def make_finding(
    kind: str, code: str, split: str, rows: Sequence[tuple[Path, str]], total: int, message: str
) -> Finding:
    """Make a finding of the files that have a fault, the worst first.

    Args:
        kind, code, split: as in `Finding`.
        rows: each file, and what is wrong with it.
        total, message: as in `Finding`.
    """
    kept = rows if code in _EVERY_FILE else rows[:_NUM_KEPT]
    return Finding(kind, code, split, len(rows), total, message, tuple(kept))


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Put errors first, and merge findings of several splits that have the same message."""
    unique: dict[str, Finding] = {}
    for finding in findings:
        same = unique.get(finding.message)
        if (
            same is not None
        ):  # one about files names both splits; another, such as a missing folder, is of the whole set
            finding = replace(finding, split=_join_splits(same.split, finding.split) if finding.worst else "")
        unique[finding.message] = finding
    return tuple(sorted(unique.values(), key=lambda finding: KINDS.index(finding.kind)))


def list_files(worst: Sequence[tuple[Path, str]], num_shown: int = NUM_SHOWN) -> str:
    """Write `a.png (detail), b.png (detail) and 3 more`."""
    return listing((f"{path} ({detail})" if detail else f"{path}" for path, detail in worst), num_shown)


def format_count(count: int, total: int, noun: str) -> str:
    """Write `12 of 500 masks`, or `all 500 masks`."""
    return f"all {total} {noun}" if count == total > 1 else f"{count} of {total} {noun}"


def _join_splits(first: str, second: str) -> str:
    """Join two splits, or lists of splits; the empty one, the whole set, includes all others."""
    return f"{first}, {second}" if first and second and second not in first.split(", ") else first and second
