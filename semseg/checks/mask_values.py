"""Check whether masks hold only values that their rules name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from semseg.checks.class_shares import check_shares
from semseg.checks.findings import Finding, format_count, list_files, make_finding
from semseg.checks.parts import Part
from semseg.datasets.dataset_file import DatasetFile
from semseg.datasets.dataset_keys import Color, RawValue
from semseg.datasets.file_facts import MaskFacts
from semseg.datasets.image_files import listed, most_frequent
from semseg.datasets.masks import census, explain_replaced
from semseg.labels import CITYSCAPES, IGNORED

_SINGLE = ("1", "L", "P")
_MANY_COLORS = 16  # unknown colours in one mask: more than these come from smoothed edges
_SNAP = 40  # the distance that messages suggest for `snap`
_MAX_STRAY = 0.01  # share, of the pixels with 255: masks with fewer other pixels still count as binary


def check_masks(
    part: Part,
    masks: Sequence[tuple[Path, MaskFacts]],
    inside: Mapping[Path, MaskFacts],
    filled_areas: Sequence[int] = (),
) -> list[Finding]:
    """Check the readable masks of one part: their kind, then their values, then their classes.

    Args:
        part: whose masks they are.
        masks: path and facts of each.
        inside: by path, the facts inside its region of interest, of masks that have one. Only these pixels count in
            the frequencies of classes; their values are checked everywhere, as training reads whole masks.
        filled_areas: number of pixels of each image without mask; all of them have the class `unlabelled`.
    """
    findings, right_kind = _check_kinds(part, masks)
    if not part.rules.classes:
        return findings
    class_counts: Counter[int] = Counter()
    if filled_areas and part.rules.unlabelled is not None:
        class_counts[part.rules.unlabelled] = sum(filled_areas)
    unknown: list[tuple[Path, dict[RawValue, int]]] = []
    snapped: list[tuple[Path, str]] = []
    for path, facts in right_kind:
        _, names, is_snapped = _read_strip(part.rules, facts.format, facts.mode, facts.palette, facts.values)
        unnamed: dict[RawValue, int] = {}
        if num_snapped := sum(count for count, snaps in zip(facts.counts, is_snapped, strict=True) if snaps):
            snapped.append((path, f"{num_snapped} px"))
        class_counts.update(_count_classes(part.rules, inside.get(path, facts)))
        for name, count in zip(names, facts.counts, strict=True):
            if name is not None:
                unnamed[name] = unnamed.get(name, 0) + count
        if unnamed:
            unknown.append((path, most_frequent(unnamed, unnamed.values())))
    if unknown:
        findings.append(_unknown_values(part, unknown, len(masks)))
    binary = _check_binary(part, [facts for _, facts in right_kind])
    findings += binary
    findings = findings or check_shares(part, class_counts, len(right_kind) + len(filled_areas))
    if snapped:
        snapped.sort(key=lambda row: -int(row[1].split()[0]))
        message = (
            f"{format_count(len(snapped), len(masks), 'masks')} hold colours that became the nearest in the list"
            f" (snap: {part.rules.snap:g}), most in {list_files(snapped, 1)}"
        )
        findings.append(make_finding("note", "snapped", part.split, snapped, len(masks), message))
    return findings


def _count_classes(rules: DatasetFile, facts: MaskFacts) -> Counter[int]:
    """Return the number of pixels of each train id."""
    counts: Counter[int] = Counter()
    if facts.values:
        train_ids, *_ = _read_strip(rules, facts.format, facts.mode, facts.palette, facts.values)
        for train_id, count in zip(train_ids, facts.counts, strict=True):
            counts[train_id] += count
    return counts


@lru_cache(maxsize=1 << 14)
def _read_strip(
    rules: DatasetFile, file_format: str, mode: str, palette: str, values: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[RawValue | None, ...], tuple[bool, ...]]:
    """Decode the distinct values of a mask, as a mask of one row, with the code that reads masks in training.

    Returns:
        For each value: its train id; the value or colour to report if no rule names it, else None; whether it was
        snapped.
    """
    if mode == "1" and rules.encoding == "rgb":  # black and white
        values = tuple(255 * value for value in values)
    if mode in _SINGLE or mode.startswith("I"):
        strip = Image.frombytes("P" if mode == "P" else "L", (len(values), 1), bytes(values))
        names: list[RawValue] = list(values)
        if mode == "P":
            colors = bytes.fromhex(palette)
            strip.putpalette(colors)
            if rules.encoding != "ids":
                names = [_color_at(colors, value) if 3 * value < len(colors) else value for value in values]
    else:
        channels = np.array([[value >> shift & 255 for shift in (16, 8, 0)] for value in values], np.uint8)
        strip = Image.fromarray(channels[None])
        content = channels.tobytes()
        names = [_color_at(content, number) for number in range(len(values))]
    if rules.encoding == "rgb" and (mode in ("1", "L") or mode.startswith("I")):
        names = [(value, value, value) for value in values]
    strip.format = file_format
    counted = census(strip, rules)
    unknown = [name if name in counted.unknown else None for name in names]
    return tuple(counted.train_ids[0].tolist()), tuple(unknown), tuple(name in counted.snapped for name in names)


def _color_at(content: bytes, number: int) -> Color:
    """Return one of the colours in a palette, or in other bytes of RGB."""
    red, green, blue = content[3 * number : 3 * number + 3]
    return red, green, blue


def _check_kinds(
    part: Part, masks: Sequence[tuple[Path, MaskFacts]]
) -> tuple[list[Finding], list[tuple[Path, MaskFacts]]]:
    """Report masks whose kind of picture does not fit the encoding, and return the other masks."""
    wrong: dict[str, list[tuple[Path, str]]] = {}
    right_kind = []
    for path, facts in masks:
        kind = _find_wrong_kind(part.rules, facts)
        if kind:
            num = f"{len(facts.values)} colours" if facts.values else "very many colours"
            low_high = f"{min(facts.values, default=0)} to {max(facts.values, default=0)}"
            detail = f"values {low_high}" if facts.mode[0] in "IF" else f"{facts.mode}, {num}"
            wrong.setdefault(kind, []).append((path, detail))
        else:
            right_kind.append((path, facts))
    expected = {"ids": "an index image", "palette": "a palette PNG", "rgb": "an opaque image of colours"}
    findings = []
    for kind, rows in wrong.items():
        message = (
            f"{format_count(len(rows), len(masks), 'masks')} are {kind} where {expected[part.rules.encoding]} is"
            f" expected, first {list_files(rows, 1)}; {_suggest_import(part, kind)}"
        )
        findings.append(make_finding("error", "mask-kind", part.split, rows, len(masks), message))
    return findings, right_kind


def _find_wrong_kind(rules: DatasetFile, facts: MaskFacts) -> str:
    if facts.format == "JPEG" and rules.snap is None:
        return "JPEG, which changes labels near edges,"
    names = {"RGB": "RGB", "RGBA": "RGBA", "LA": "grey with alpha", "PA": "palette with alpha"}
    is_deep = facts.mode[0] in "IF"
    if is_deep and (not facts.values or max(facts.values) > 255 or min(facts.values) < 0 or facts.mode == "F"):
        return "16-bit" if facts.mode.startswith("I") else "floating-point"
    if rules.encoding == "ids" and is_deep:
        return ""
    if rules.encoding == "ids" and facts.mode not in _SINGLE:
        return names.get(facts.mode, facts.mode)
    if rules.encoding == "palette" and facts.mode != "P":
        return names.get(facts.mode, "grey" if facts.mode in _SINGLE or is_deep else facts.mode)
    if rules.encoding == "rgb" and facts.num_transparent:
        return "partly transparent"
    if rules.encoding == "rgb" and not facts.values:
        return "of more than 65536 colours, as photographs are,"
    return ""


def _suggest_import(part: Part, kind: str) -> str:
    if kind in ("16-bit", "floating-point"):
        return f"renumber them to 0..{max(len(part.rules.classes) - 1, 0)} and 255, and save them with 8 bits"
    if kind == "partly transparent":
        return "save them without transparency"
    images, masks = part.folder_of(0), part.folder_of(1)
    command = f"python tools/dataset.py import colors {masks} --images {images} --classes FILE"
    suffix = part.rules.mask_suffix
    if part.described_in is not None and suffix != (".png",):
        command += f" --mask-suffix {' '.join(suffix)}"
    if kind.startswith("JPEG"):
        return f"export PNG, or run {command} --snap {_SNAP} --split {part.split} --out DIR"
    return f"run {command} --split {part.split} --out DIR"


def _unknown_values(part: Part, unknown: Sequence[tuple[Path, dict[RawValue, int]]], num_masks: int) -> Finding:
    ordered = sorted(unknown, key=lambda row: -sum(row[1].values()))
    worst = [(path, listed(values)) for path, values in ordered]
    if isinstance(next(iter(ordered[0][1])), tuple):
        what = "colours that are not in the list"
        num_colors = max(len(values) for _, values in unknown)
        remedy = f"add them to classes or label_map in {part.described_in}"
        if num_colors > _MANY_COLORS:
            remedy = f"edges look smoothed: set snap: {_SNAP} in {part.described_in}"
    else:
        values = {value for _, values in unknown for value in values if isinstance(value, int)}
        reason = explain_replaced(values, part.rules)
        what = (
            "values that nothing names" if reason else f"values outside 0..{len(part.rules.classes) - 1} and {IGNORED}"
        )
        remedy = reason or _suggest_remedy(part, values)
    path, detail = worst[0]
    message = f"{format_count(len(unknown), num_masks, 'masks')} hold {what}, worst {path} {detail}; {remedy}"
    return make_finding("error", "mask-values", part.split, worst, num_masks, message)


def _suggest_remedy(part: Part, values: set) -> str:
    label_ids = {label.label_id for label in CITYSCAPES.labels}
    if part.rules.classes == CITYSCAPES.classes and values <= label_ids:
        root = part.folder_of(1)
        root = next((f.parent for f in (root, *root.parents) if f.name in ("gtFine", "gtCoarse")), "ROOT")
        return (
            "these look like Cityscapes label ids where train ids belong:"
            f" run python tools/convert_datasets/cityscapes.py {root}"
        )
    if part.described_in is not None:
        return f"name them in label_map in {part.described_in}, as a class or as ignore"
    return "describe the set in a dataset.yaml, with a label_map for these values, and pass it as `data`"


def _check_binary(part: Part, masks: Sequence[MaskFacts]) -> list[Finding]:
    """Find objects that are painted with 255, the value for ignored pixels, even if a few other values occur."""
    counts: Counter[int] = Counter()
    for facts in masks:
        counts.update(dict(zip(facts.values, facts.counts, strict=True)))
    is_explained = part.described_in is not None and IGNORED in part.rules.label_map
    strays = {value: count for value, count in counts.items() if value not in (0, IGNORED)}
    if part.rules.encoding != "ids" or is_explained or not {0, IGNORED} <= set(counts):
        return []
    if sum(strays.values()) > _MAX_STRAY * counts[IGNORED]:
        return []
    name, total = part.rules.classes[-1], len(masks)
    # with one class, 0 would mean the object
    classes = f"classes: [background, {name}] and " if len(part.rules.classes) == 1 else ""
    where = f"in {part.described_in}" if part.described_in else "in a dataset.yaml, and pass it as `data`"
    beside = f", beside {listed(most_frequent(strays, strays.values()))}" if strays else ""
    message = (
        f"{format_count(total, total, 'masks')} hold only 0 and 255{beside}, and 255 is ignored: the object would"
        f" never be learnt; set {classes}label_map: {{255: {name}}} {where}"
    )
    # a rare class with a wide ignored margin looks the same as a stray value
    is_sure = all(value >= len(part.rules.classes) for value in strays)
    kind = "error" if is_sure else "warning"
    return [Finding(kind, "binary-masks", part.split, total, total, message)]
