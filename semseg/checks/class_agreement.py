"""Check whether dataloaders, heads and checkpoint have the same classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from semseg import compat
from semseg.checks.findings import Finding
from semseg.checks.parts import Part
from semseg.config.tree import counting_heads


def check_classes(cfg: Config, parts: Sequence[Part]) -> list[Finding]:
    """Compare the classes of all parts with each other, with every head, and with those of a resumed checkpoint.

    The weights of `load_from` are not compared when a run only starts from them: these are matched by class name.
    A test set of other classes is not compared either: `tools/test.py --map` maps them.
    """
    with_classes = [part for part in parts if part.rules.classes]
    if not with_classes:
        return []
    lead = with_classes[0]
    findings = []
    for part in with_classes[1:]:
        if part.split != "test" and part.rules.classes != lead.rules.classes:
            what = describe_difference(lead.rules.classes, part.rules.classes)
            message = (
                f"{_name(lead)} ({lead.split}) and {_name(part)} ({part.split}) have other classes: {what};"
                " give both the same list"
            )
            findings.append(_error("classes", f"{lead.split}, {part.split}", message))
    if lead.split == "test":
        return findings
    for key, head in counting_heads(cfg.get("model", {})):
        if head["num_classes"] != len(lead.rules.classes):
            message = (
                f"{key}.num_classes is {head['num_classes']}, but {_name(lead)} has {len(lead.rules.classes)} classes;"
                f" set it to {len(lead.rules.classes)}"
            )
            findings.append(_error("num-classes", "", message))
    checkpoint = cfg.get("load_from")
    if cfg.get("resume") and checkpoint and Path(checkpoint).is_file():
        findings += _check_checkpoint(Path(checkpoint), lead)
    return findings


def describe_difference(first: Sequence[str], second: Sequence[str]) -> str:
    """Say how two lists of classes differ."""
    only = [[name for name in these if name not in those] for these, those in ((first, second), (second, first))]
    if not any(only):
        return "the same names in another order"
    by_list = zip(("first", "second"), only, strict=True)
    return "; ".join(f"only the {which} has {', '.join(names)}" for which, names in by_list if names)


def _check_checkpoint(path: Path, lead: Part) -> list[Finding]:
    meta = compat.load_checkpoint_file(path, map_location="cpu").get("meta", {})
    classes = meta.get("dataset_meta", {}).get("classes", meta.get("CLASSES"))  # the latter: MMSegmentation 0.x
    if classes is None or tuple(classes) == lead.rules.classes:
        return []
    what = describe_difference(tuple(classes), lead.rules.classes)
    message = (
        f"{path}, which is resumed, and {_name(lead)} have other classes: {what}; start a new run from its"
        " weights, with `load_from`"
    )
    return [_error("checkpoint-classes", "", message)]


def _error(code: str, split: str, message: str) -> Finding:
    return Finding("error", code, split, 1, 1, message)


def _name(part: Part) -> str:
    return str(part.described_in or part.rules.root)
