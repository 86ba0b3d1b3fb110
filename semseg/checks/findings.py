"""What a check found, as sentences for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from semseg.system.atomic import atomic_path

KINDS = ("error", "warning", "note")
JSON_VERSION = 1
NUM_SHOWN = 3  # files in a sentence
_NUM_KEPT = 20  # files in the JSON
_EVERY_FILE = ("unreadable", "decompression-bomb", "damaged", "images-without-mask", "no-pair")

Worst = tuple[tuple[Path, str], ...]


@dataclass(frozen=True)
class Finding:
    """One fault, over all files that have it.

    Attributes:
        kind: `error` (training on it would fail or lie), `warning` (it may be meant), or `note`.
        code: a name that stays, such as `mask-values`.
        split: train, val, test; `train, val` for what lies between two; empty for the whole set.
        count: files with the fault.
        total: files that were looked at.
        message: one sentence: the count, the worst files, the suspected cause, what mends it.
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
        """Write it as one line, without its kind."""
        return f"{self.split}: {self.message}" if self.split else self.message


@dataclass(frozen=True)
class Report:
    """Everything that a check found.

    Attributes:
        source: the config or dataset.yaml.
        deep: every image was decoded.
        splits: pairs by split.
        findings: errors first.
        num_read: files that were opened.
        num_remembered: files that are as they were when an earlier check opened them.
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
        """Write the findings in aligned lines, and a summary below."""
        counts = [(len(self.of_kind(kind)), kind) for kind in KINDS]
        found = ", ".join(f"{count} {kind}{'s' * (count > 1)}" for count, kind in counts if count)
        pairs = ", ".join(f"{count} pairs of {split}" for split, count in self.splits.items()) or "no pair"
        return [
            *(f"{finding.kind:7}  {finding.line()}" for finding in self.findings),
            f"{self.source}: {found or 'no finding'}; {pairs};"
            f" {self.num_read} files read, {self.num_remembered} known from before",
        ]

    def write_json(self, path: Path) -> None:
        """Write it whole; `version` rises when a key changes its meaning."""
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
                    "worst": [{"path": str(file), "detail": what} for file, what in finding.worst],
                }
                for finding in self.findings
            ],
        }
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def found(kind: str, code: str, split: str, rows: Sequence[tuple[Path, str]], total: int, message: str) -> Finding:
    """Make a finding out of the files that have a fault, the worst first.

    Args:
        kind, code, split: as in `Finding`.
        rows: file, and what is wrong with it.
        total, message: as in `Finding`.
    """
    kept = rows if code in _EVERY_FILE else rows[:_NUM_KEPT]
    return Finding(kind, code, split, len(rows), total, message, tuple(kept))


def sorted_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Put errors first; what is said of several splits in the same words is said once."""
    unique: dict[str, Finding] = {}
    for finding in findings:
        said = unique.get(finding.message)
        if said is not None:  # about files: of these splits; else, such as a folder that is not there, of the whole set
            finding = replace(finding, split=_both(said.split, finding.split) if finding.worst else "")
        unique[finding.message] = finding
    return tuple(sorted(unique.values(), key=lambda finding: KINDS.index(finding.kind)))


def named(worst: Sequence[tuple[Path, str]], num_shown: int = NUM_SHOWN) -> str:
    """Write `a.png (detail), b.png (detail) and 3 more`."""
    shown = [f"{path} ({detail})" if detail else f"{path}" for path, detail in worst[:num_shown]]
    more = f" and {len(worst) - num_shown} more" if len(worst) > num_shown else ""
    return ", ".join(shown) + more


def share(count: int, total: int, what: str) -> str:
    """Write `12 of 500 masks`, or `all 500 masks`."""
    return f"all {total} {what}" if count == total > 1 else f"{count} of {total} {what}"


def _both(split: str, other: str) -> str:
    """Name two splits, or lists of them; empty, the whole set, takes in the others."""
    return f"{split}, {other}" if split and other and other not in split.split(", ") else split and other
