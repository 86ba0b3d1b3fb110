"""Check whether the palettes of index masks agree on the meaning of the numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from semseg.checks.findings import Finding, format_count, list_files, make_finding
from semseg.checks.parts import Part
from semseg.datasets.dataset_keys import Color, hex_color
from semseg.datasets.file_facts import MaskFacts


def check_palettes(masks: Sequence[tuple[Part, Path, MaskFacts]]) -> list[Finding]:
    """Find masks that store a colour under another number than most masks do.

    Some programs number the classes of each picture separately and store their meaning in the palette: read as `ids`,
    such masks mix up the classes. Only values that occur are compared, and only colours that have a single number in
    their mask, so unused entries and palettes that are all black are ignored.

    Args:
        masks: the masks of all parts, each with its part.
    """
    with_palette = [
        (part, path, colors)
        for part, path, facts in masks
        if part.rules.encoding == "ids" and facts.mode == "P" and (colors := _numbers_by_color(facts))
    ]
    numbers: dict[Color, Counter[int]] = defaultdict(Counter)
    for _, _, colors in with_palette:
        for color, number in colors.items():
            numbers[color][number] += 1
    usual = {color: counts.most_common(1)[0][0] for color, counts in numbers.items()}
    rows = []
    for part, path, colors in with_palette:
        unusual = [color for color, number in colors.items() if number != usual[color]]
        if unusual:
            color = unusual[0]
            detail = f"{hex_color(color)} is {colors[color]} there and {usual[color]} elsewhere"
            rows.append((part, path, detail))
    if not rows:
        return _check_colors(with_palette)
    part = rows[0][0]
    where = f"in {part.described_in}" if part.described_in else "in a dataset.yaml, and pass it as `data`"
    worst = [(path, detail) for _, path, detail in rows]
    message = (
        f"palettes of {format_count(len(rows), len(with_palette), 'masks')} differ from those of the others, first"
        f" {list_files(worst, 1)}: the colours tell the classes, not the numbers; set encoding: palette {where}, with"
        " the colour of every class"
    )
    return [
        make_finding("error", "palettes", _join_splits(part for part, _, _ in rows), worst, len(with_palette), message)
    ]


def _check_colors(masks: Sequence[tuple[Part, Path, dict[Color, int]]]) -> list[Finding]:
    """Warn of a number that has one colour in some masks and another colour in others."""
    first: dict[int, tuple[Color, Path]] = {}
    rows = []
    for part, path, colors in masks:
        for color, number in colors.items():
            known_color, known_path = first.setdefault(number, (color, path))
            if color != known_color:
                detail = f"{number} is {hex_color(color)} there and {hex_color(known_color)} in {known_path}"
                rows.append((part, path, detail))
                break
    if not rows:
        return []
    worst = [(path, detail) for _, path, detail in rows]
    message = (
        f"palettes of {format_count(len(rows), len(masks), 'masks')} give other colours to the same numbers, first"
        f" {list_files(worst, 1)}: if the colours tell the classes, set encoding: palette"
    )
    return [
        make_finding(
            "warning", "palette-colours", _join_splits(part for part, _, _ in rows), worst, len(masks), message
        )
    ]


def _numbers_by_color(facts: MaskFacts) -> dict[Color, int]:
    """Return colour -> number, for values that occur and colours that have one number; {} for a grey ramp."""
    palette = bytes.fromhex(facts.palette)
    colors = {
        value: (palette[3 * value], palette[3 * value + 1], palette[3 * value + 2])
        for value in facts.values
        if 3 * value < len(palette)
    }
    if all(color == (value,) * 3 for value, color in colors.items()):
        return {}
    num_values = Counter(colors.values())
    return {color: value for value, color in colors.items() if num_values[color] == 1}


def _join_splits(parts: Iterable[Part]) -> str:
    return ", ".join(dict.fromkeys(part.split for part in parts))
