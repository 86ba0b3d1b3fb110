"""Propose groups of a set of pictures, with the evidence in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from semseg.datasets.facts_cache import read_image_facts_of
from semseg.datasets.groups import capture, similarity
from semseg.datasets.groups.names import NameGroups, group_alone, group_by_name
from semseg.errors import InvalidDataError
from semseg.system.folders import natural_key

_MOST = 0.9  # of the pictures must have a time or a place
_LARGEST = 0.8  # a larger group leaves too little for other splits
_LEAST_SIMILAR = 0.2  # of the pictures must have a neighbour, if only similarity tells groups


@dataclass(frozen=True)
class Grouping:
    """Groups of pictures, and why they are believed.

    Attributes:
        rule: `names`, `capture` or `similarity`.
        groups: the group of each picture, in their order.
        evidence: in words, with the number and sizes of the groups.
        is_sure: whether a second kind of evidence confirms the names, or clock and place tell the groups.
    """

    rule: str
    groups: tuple[str, ...]
    evidence: str
    is_sure: bool


def propose(paths: Sequence[Path]) -> Grouping:
    """Find the groups of a set of pictures.

    File names are believed if the pictures of a sample look like others of their group; time and place come next.
    Names that nothing confirms are a guess, and so are groups by similarity alone.

    Args:
        paths: of the pictures. Some of them, or all if names tell nothing, are opened.

    Raises:
        InvalidDataError: no evidence for groups.
    """
    order = sorted(range(len(paths)), key=lambda index: natural_key(paths[index]))
    grouping = _propose([paths[index] for index in order])
    groups = dict(zip(order, grouping.groups, strict=True))
    return Grouping(grouping.rule, tuple(groups[i] for i in range(len(paths))), grouping.evidence, grouping.is_sure)


def describe_sizes(groups: Sequence[Hashable]) -> str:
    """Write `4 groups of 101 to 305 images`."""
    sizes = sorted(Counter(groups).values())
    span = f"{sizes[0]}" if sizes[0] == sizes[-1] else f"{sizes[0]} to {sizes[-1]}"
    return f"{len(sizes)} groups of {span} image{'s' * (sizes[-1] > 1)}"


def _propose(paths: Sequence[Path]) -> Grouping:
    named, reasons = choose_level(paths), []
    confirmation = None
    if named is None:
        reasons.append(f"file names and folders tell no groups (first {paths[0].name})")
    else:
        confirmation = _confirm(paths, named)
        if confirmation is not None and confirmation.holds:
            evidence = f"{named.words}: {describe_sizes(named.groups)}; {confirmation.words()}"
            return Grouping("names", named.groups, evidence, True)
    captures = [
        capture.with_name(capture.Capture(facts.taken, facts.place, facts.camera), path)
        for facts, path in zip(read_image_facts_of(paths), paths, strict=True)
    ]
    num_known = sum(row.taken is not None or bool(row.place) for row in captures)
    if num_known < _MOST * len(paths):
        reasons.append(f"{num_known} of {len(paths)} images have a time or a place")
    else:
        numbers = capture.chain(captures)
        if fault := _find_fault(numbers):
            reasons.append(f"time and place {fault}")
        else:
            evidence = (
                f"time and place (within {capture.MAX_GAP_S} s by one camera, or within {capture.MAX_DISTANCE_M} m):"
                f" {describe_sizes(numbers)}"
            )
            return Grouping("capture", _name_chains(numbers, paths), evidence, True)
    if named is not None and (named.has_ids or named.is_nested):
        doubt = f"not confirmed: {confirmation.words()}" if confirmation else "too few images to confirm it"
        return Grouping("names", named.groups, f"{named.words}: {describe_sizes(named.groups)}; {doubt}", False)
    if named is not None:
        reasons.append(f"{named.words} may be kinds of images ({', '.join(sorted(set(named.groups))[:3])})")
    facts = read_image_facts_of(paths, deep=True)
    readable = [index for index, one in enumerate(facts) if one.thumbnail]
    if len(readable) == len(paths):
        numbers = similarity.chain([one.thumbnail for one in facts])
        fault = _find_fault(numbers)
        if not fault and 1 - group_alone([str(number) for number in numbers]) >= _LEAST_SIMILAR:
            evidence = f"similarity (images that look like neighbours in a video): {describe_sizes(numbers)}"
            return Grouping("similarity", _name_chains(numbers, paths), evidence, False)
    reasons.append("few images look like neighbours in a video")
    raise InvalidDataError(
        f"`group_by` auto finds no groups: {'; '.join(reasons)}; give `group_by` folder, prefix or regex:PATTERN"
        " (regex:.+ makes each image a group)",
        code="E-data-groups",
    )


def choose_level(paths: Sequence[Path]) -> NameGroups | None:
    """Group by file names up to the last number; up to the one before, if most pictures would be alone."""
    named = group_by_name(paths)
    if named is None or group_alone(named.groups) > 0.5:
        above = group_by_name(paths, num_dropped=2)
        if above is not None and group_alone(above.groups) <= 0.5:
            return above
    return named


def _confirm(paths: Sequence[Path], named: NameGroups) -> similarity.Confirmation | None:
    sample = similarity.choose_sample(named.groups)
    facts = read_image_facts_of([paths[index] for index in sample], deep=True)
    rows = [(named.groups[index], one.thumbnail) for index, one in zip(sample, facts, strict=True) if one.thumbnail]
    return similarity.confirm([group for group, _ in rows], [thumbnail for _, thumbnail in rows])


def _find_fault(numbers: Sequence[int]) -> str:
    """Return why chains are no useful groups; empty: they are."""
    sizes = Counter(numbers)
    if max(sizes.values()) == 1:
        return "link no images"
    if max(sizes.values()) > _LARGEST * len(numbers):
        return f"link {max(sizes.values())} of {len(numbers)} images to one group"
    return ""


def _name_chains(numbers: Sequence[int], paths: Sequence[Path]) -> tuple[str, ...]:
    """Name each chain by its first picture."""
    first: dict[int, str] = {}
    return tuple(
        first.setdefault(number, path.stem) + f"#{number}" for number, path in zip(numbers, paths, strict=True)
    )
