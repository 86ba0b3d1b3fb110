"""Check that no drive, sequence, patient or place has pictures in two splits.

The evidence is that of `semseg.datasets.groups`. A wrong warning costs trust, so it takes stronger evidence than a
proposal: file names count if numbers identify the groups, words only if the pictures look like frames of a video
(`--deep`). A group of names whose files are called alike in both splits is numbered anew in each of them, and is no
sequence that was divided.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from semseg.checks.findings import Finding, format_count, make_finding
from semseg.checks.pictures import Image, find_similar
from semseg.datasets.groups import capture, similarity
from semseg.datasets.groups.names import group_by_name, running_number
from semseg.system.folders import absolute_path, natural_key
from semseg.system.wording import listing

_SIMILAR = "similarity (images that look like neighbours in a video)"
_NUM_GROUPS = 3  # that a message names
_MOST_ALIKE = 0.5  # of the files of a group in the smaller split


class _Evidence(NamedTuple):
    """What tells groups, in words, and the group of each picture; empty text: none."""

    words: str
    groups: Sequence[str]
    is_of_names: bool = False


def check_leaks(
    images: Mapping[str, Sequence[Image]], described_in: Collection[Path | None], deep: bool
) -> list[Finding]:
    """Find groups of related pictures that are in two splits.

    Args:
        images: the readable ones, by split.
        described_in: the dataset.yaml files that list them; None: another description.
        deep: their thumbnails are known.
    """
    rows = [(split, path, facts) for split, own in images.items() for path, facts in own]
    rows.sort(key=lambda row: natural_key(row[1]))
    if len(images) < 2:
        return []
    paths = {path: absolute_path(path) for _, path, _ in rows}
    findings, known = [], set()  # pictures that an earlier kind of evidence has told
    for evidence in _list_evidence(rows, paths, deep):
        group_of = {path: group for (_, path, _), group in zip(rows, evidence.groups, strict=True)}
        for first, second in itertools.combinations(images, 2):
            near = set()  # those have a message of their own
            if evidence.words == _SIMILAR:
                near = {path for path, _ in find_similar(images[first], images[second])}
            shared = _find_shared(images[first], images[second], group_of, paths, evidence.is_of_names)
            leaky = [
                (path, group_of[path])
                for path, _ in images[second]
                if group_of[path] in shared and (first, second, path) not in known and path not in near
            ]
            known |= {(first, second, path) for path, _ in leaky}
            if leaky:
                total = len(images[second])
                findings.append(_describe(first, second, leaky, shared, evidence, total, described_in))
    return findings


def _list_evidence(rows: Sequence[tuple], paths: Mapping[Path, Path], deep: bool) -> list[_Evidence]:
    """Return each kind of evidence; rows are split, path and facts of the pictures, sorted by path."""
    evidence = []
    named = group_by_name([paths[path] for _, path, _ in rows])
    if named is not None:
        confirmation = None
        if deep:
            sample = [index for index in similarity.choose_sample(named.groups) if rows[index][2].thumbnail]
            confirmation = similarity.confirm(
                [named.groups[index] for index in sample], [rows[index][2].thumbnail for index in sample]
            )
        words = named.words
        words += f"; {confirmation.words()}" if confirmation is not None and confirmation.holds else ""
        if named.has_ids or (confirmation is not None and confirmation.is_of_sequences):
            evidence.append(_Evidence(words, named.groups, True))
    captures = [
        capture.with_name(capture.Capture(facts.taken, facts.place, facts.camera), path) for _, path, facts in rows
    ]
    words = f"time and place (within {capture.MAX_GAP_S} s by one camera, or within {capture.MAX_DISTANCE_M} m)"
    evidence.append(_Evidence(words, _name_chains(capture.chain(captures), rows)))
    if deep:
        with_thumbnail = [index for index, row in enumerate(rows) if row[2].thumbnail]
        numbers = similarity.chain([rows[index][2].thumbnail for index in with_thumbnail])
        names = _name_chains(numbers, [rows[index] for index in with_thumbnail])
        of_row = dict(zip(with_thumbnail, names, strict=True))
        evidence.append(_Evidence(_SIMILAR, [of_row.get(index, "") for index in range(len(rows))]))
    return evidence


def _name_chains(numbers: Sequence[int], rows: Sequence[tuple]) -> list[str]:
    """Name each chain by its first picture; pictures that are alone get no name."""
    first: dict[int, str] = {}
    names = [first.setdefault(number, row[1].name) for number, row in zip(numbers, rows, strict=True)]
    sizes = Counter(numbers)
    return [f"that of {name}" if sizes[number] > 1 else "" for number, name in zip(numbers, names, strict=True)]


def _find_shared(
    first: Sequence[Image],
    second: Sequence[Image],
    group_of: Mapping[Path, str],
    paths: Mapping[Path, Path],
    is_named: bool,
) -> dict[str, tuple[int, int]]:
    """Return how many pictures each shared group has in both splits."""
    members: tuple[dict[str, list[Path]], dict[str, list[Path]]] = ({}, {})
    for own, of_split in zip(members, (first, second), strict=True):
        for path, _ in of_split:
            if group_of[path]:
                own.setdefault(group_of[path], []).append(path)
    shared = {}
    for group in members[0].keys() & members[1].keys():
        names = [{running_number(paths[path]) for path in own[group]} for own in members]
        num_alike = len(names[0] & names[1])
        if not is_named or num_alike <= _MOST_ALIKE * min(map(len, names)):
            shared[group] = (len(members[0][group]), len(members[1][group]))
    return shared


def _describe(
    first: str,
    second: str,
    leaky: Sequence[tuple[Path, str]],
    shared: Mapping[str, tuple[int, int]],
    evidence: _Evidence,
    total: int,
    described_in: Collection[Path | None],
) -> Finding:
    order = sorted({group for _, group in leaky}, key=lambda group: (-shared[group][1], group))
    counts = [f"{group} ({shared[group][0]} of {first}, {shared[group][1]} of {second})" for group in order]
    files = [path for path in described_in if path is not None]
    if len(set(evidence.groups)) == 1:
        remedy = f"all images are one recording: take {second} from another one"
    elif len(files) == 1:
        remedy = f"python tools/dataset.py split {files[0]} --group-by auto --out DIR keeps groups together"
    else:
        remedy = (
            "python tools/dataset.py split SOURCE --group-by auto --out DIR keeps groups of a dataset.yaml together"
        )
    message = (
        f"{format_count(len(leaky), total, f'images of {second}')} belong to a group that {first} has images of:"
        f" {listing(counts, _NUM_GROUPS)}; groups by {evidence.words}; scores on {second} flatter the model: {remedy}"
    )
    return make_finding("warning", "group-in-two-splits", f"{first}, {second}", list(leaky), total, message)
