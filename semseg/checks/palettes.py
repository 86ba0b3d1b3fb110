"""Whether the palettes of index masks agree on what the numbers mean."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from semseg.checks.file_facts import MaskFacts
from semseg.checks.findings import Finding, found, named, share
from semseg.checks.parts import Part
from semseg.datasets.dataset_file import Color, hex_color


def check_palettes(masks: Sequence[tuple[Part, Path, MaskFacts]]) -> list[Finding]:
    """Find masks that store the same colour under another number than the others do.

    Some programs number the classes of each picture anew and keep the meaning in the palette: read as `ids`, such masks
    mix the classes. Only the values that occur count, and of those only colours that name one value in their mask, so
    unused entries and palettes that are black throughout raise nothing.

    Args:
        masks: of all parts, with the part that each belongs to.
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
        other = [color for color, number in colors.items() if number != usual[color]]
        if other:
            color = other[0]
            detail = f"{hex_color(color)} is {colors[color]} there and {usual[color]} elsewhere"
            rows.append((part, path, detail))
    if not rows:
        return _other_colors(with_palette)
    part = rows[0][0]
    where = f"in {part.described_in}" if part.described_in else "in a dataset.yaml, and give that to --data"
    worst = [(path, detail) for _, path, detail in rows]
    message = (
        f"palettes of {share(len(rows), len(with_palette), 'masks')} differ from those of the others, first"
        f" {named(worst, 1)}: the colours tell the classes, not the numbers; set encoding: palette {where}, with the"
        " colour of every class"
    )
    return [found("error", "palettes", _split_of(part for part, _, _ in rows), worst, len(with_palette), message)]


def _other_colors(masks: Sequence[tuple[Part, Path, dict[Color, int]]]) -> list[Finding]:
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
        f"palettes of {share(len(rows), len(masks), 'masks')} give other colours to the same numbers, first"
        f" {named(worst, 1)}: if the colours tell the classes, set encoding: palette"
    )
    return [found("warning", "palette-colours", _split_of(part for part, _, _ in rows), worst, len(masks), message)]


def _numbers_by_color(facts: MaskFacts) -> dict[Color, int]:
    """Return colour -> number of the values that occur, without colours of several numbers; {} for a grey ramp."""
    palette = bytes.fromhex(facts.palette)
    colors = {value: tuple(palette[3 * value : 3 * value + 3]) for value in facts.values if 3 * value < len(palette)}
    if all(color == (value,) * 3 for value, color in colors.items()):
        return {}
    times = Counter(colors.values())
    return {color: value for value, color in colors.items() if times[color] == 1}


def _split_of(parts: Iterable[Part]) -> str:
    return ", ".join(dict.fromkeys(part.split for part in parts))
