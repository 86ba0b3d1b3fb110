"""Check how frequent the classes are in the masks of a split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from semseg.checks.findings import Finding
from semseg.checks.parts import Part
from semseg.labels import IGNORED

_MAX_IGNORED = 0.5  # share of the pixels
_MAX_CLASS = 0.99  # share of the labelled pixels


def check_shares(part: Part, counts: Counter[int], num_masks: int) -> list[Finding]:
    """Report sets without anything to learn; warn of absent or dominating classes, and of many ignored pixels."""
    classes = part.rules.classes
    num_px, num_ignored = sum(counts.values()), counts[IGNORED]
    labelled = {train_id: counts[train_id] for train_id in range(len(classes))}
    if not num_px:
        return []

    def warning(code: str, count: int, total: int, message: str) -> Finding:
        return Finding("warning", code, part.split, count, total, message)

    present = [name for train_id, name in enumerate(classes) if counts[train_id]]
    if not present:
        message = (
            f"all pixels of {num_masks} mask{'s' * (num_masks > 1)} are ignored (255), so there is nothing to"
            f" {_purpose(part)}; look at the masks, and at label_map"
        )
        return [Finding("error", "all-ignored", part.split, num_px, num_px, message)]
    if len(present) == 1 and part.split == "train":
        message = (
            f"all labelled pixels of {num_masks} mask{'s' * (num_masks > 1)} are {present[0]}, so there is nothing to"
            " learn: a model that always says so is right; " + _suggest_second_class(classes, num_ignored)
        )
        return [Finding("error", "nothing-to-learn", part.split, num_px - num_ignored, num_px, message)]
    findings = []
    if num_ignored > _MAX_IGNORED * num_px:
        message = f"{_format_percent(num_ignored, num_px)} of the pixels are ignored (255); is that meant?"
        findings.append(warning("mostly-ignored", num_ignored, num_px, message))
    absent = [classes[train_id] for train_id, count in labelled.items() if not count]
    if absent and len(absent) < len(classes):
        message = (
            f"no pixel of {', '.join(absent)} in {num_masks} mask{'s' * (num_masks > 1)}: nothing to {_purpose(part)}"
        )
        findings.append(warning("absent-class", len(absent), len(classes), message))
    largest = max(labelled, key=lambda train_id: labelled[train_id])
    if len(classes) > 1 and labelled[largest] > _MAX_CLASS * (num_px - num_ignored):
        message = (
            f"{_format_percent(labelled[largest], num_px - num_ignored)} of the labelled pixels are"
            f" {classes[largest]}: a model that always says so looks good; read the IoU of the other classes"
        )
        findings.append(warning("one-class", labelled[largest], num_px - num_ignored, message))
    return findings


def _purpose(part: Part) -> str:
    return "learn from" if part.split == "train" else "measure"


def _suggest_second_class(classes: Sequence[str], num_ignored: int) -> str:
    if len(classes) > 1:
        return "look at the masks, and at label_map"
    if num_ignored:
        return "add a class for the rest, such as background, in place of ignore (255)"
    return "add a second class"


def _format_percent(count: int, total: int) -> str:
    return f"{100 * count / total:.1f} %"
