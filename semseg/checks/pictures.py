"""Check whether files can be read, masks fit their images, and no picture is in two splits."""

from __future__ import annotations

import filecmp
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from semseg.checks.findings import Finding, format_count, list_files, make_finding
from semseg.checks.parts import Files, Part
from semseg.datasets.file_facts import ImageFacts, MaskFacts
from semseg.datasets.roi_facts import RoiFacts
from semseg.system.folders import absolute_path

_MAX_BITS = 3  # of the 64 bits of a hash: difference between pictures that look the same
_MAX_GREY = 6.0  # mean difference of their thumbnails, out of 255
_MAX_OF_USUAL = 0.2  # as a share of the median difference to all pictures
_MANY = 4  # pictures from which that median says something
_NUM_BROKEN = 8  # files that a message names; the JSON lists all of them
_TURNED = range(5, 9)  # EXIF orientations that swap width and height

Image = tuple[Path, ImageFacts]
Mask = tuple[Path, MaskFacts]
Roi = tuple[Path, RoiFacts]


def check_readable(split: str, files: Sequence[Image | Mask | Roi]) -> list[Finding]:
    """Name every file that cannot be read, and why."""
    bad = [(path, facts.problem) for path, facts in files if facts.problem]
    bombs = [row for row in bad if row[1].startswith("decompression bomb")]
    broken = [row for row in bad if row not in bombs]
    odd = [(path, facts.oddity) for path, facts in files if isinstance(facts, ImageFacts) and facts.oddity]
    findings = []
    for kind, code, rows, what, remedy in (
        ("error", "unreadable", broken, "cannot be read", "copy them again, or remove these pairs"),
        (
            "error",
            "decompression-bomb",
            bombs,
            "claim more pixels than is safe to open",
            "cut them into tiles, or remove these pairs",
        ),
        (
            "warning",
            "damaged",
            odd,
            "are damaged and can be read in part",
            "look at them, and copy them again",
        ),
    ):
        if rows:
            message = (
                f"{format_count(len(rows), len(files), 'files')} {what}: {list_files(rows, _NUM_BROKEN)}; {remedy}"
            )
            findings.append(make_finding(kind, code, split, rows, len(files), message))
    return findings


def check_sizes(part: Part, pairs: Sequence[tuple[Image, Mask]]) -> list[Finding]:
    """Compare the sizes of images and masks as training sees them."""
    applies = part.rules.exif == "apply"
    unequal, by_exif, doubtful = [], [], []
    for (image_path, image), (mask_path, mask) in pairs:
        stored = [(facts.width, facts.height) for facts in (image, mask)]
        turned = [
            size[::-1] if facts.orientation in _TURNED else size
            for facts, size in zip((image, mask), stored, strict=True)
        ]
        seen, alternative = (turned, stored) if applies else (stored, turned)
        if seen[0] != seen[1]:
            (width, height), (mask_width, mask_height) = seen
            detail = f"{mask_width}x{mask_height}, its image {image_path.name} {width}x{height}"
            (by_exif if alternative[0] == alternative[1] else unequal).append((mask_path, detail))
        elif applies and image.orientation != mask.orientation and stored[0] == stored[1]:
            doubtful.append((image_path, f"EXIF orientation {image.orientation}"))
    where = f"in {part.described_in or 'a dataset.yaml'}"
    cause = "EXIF turns the image and not the mask: set exif: ignore" if applies else "set exif: apply"
    differ = "masks have another size than their image"
    findings = []
    for kind, code, rows, what, remedy in (
        ("error", "sizes", unequal, differ, "scale them with nearest neighbour, or find the right image"),
        ("error", "sizes-exif", by_exif, differ, f"{cause} {where}"),
        (
            "warning",
            "orientation",
            doubtful,
            "images are turned or mirrored by EXIF and their masks are not",
            f"look at them, and where masks belong to the pixels as stored, set exif: ignore {where}",
        ),
    ):
        if rows:
            message = f"{format_count(len(rows), len(pairs), what)}, first {list_files(rows, 1)}; {remedy}"
            findings.append(make_finding(kind, code, part.split, rows, len(pairs), message))
    return findings


def check_listed_once(files: dict[str, list[Files]]) -> list[Finding]:
    """Find pictures that are listed twice in one split.

    A score counts such a picture once, and a training reads it more often.

    Args:
        files: of all parts, by split, in the order of the list.
    """
    findings = []
    for split, listed in files.items():
        places: dict[Path, list[int]] = {}
        for place, pair in enumerate(listed, 1):
            places.setdefault(absolute_path(pair.image_path), []).append(place)
        repeated = [rows for rows in places.values() if len(rows) > 1]
        if not repeated:
            continue
        rows = [(listed[numbers[0] - 1].image_path, f"rows {', '.join(map(str, numbers))}") for numbers in repeated]
        masks = [{listed[number - 1].mask_path for number in numbers} for numbers in repeated]
        unequal = [row for row, paths in zip(rows, masks, strict=True) if len(paths) > 1]
        count = format_count(len(rows), len(places), f"images of {split}")
        what = f"{count} are listed more than once: {list_files(rows)}"
        if unequal:
            message = f"{what}; {unequal[0][0]} even with different masks: keep one row for each image"
        elif split == "train":
            message = f"{what}; a training sees them as often as they are listed"
        else:
            message = f"{what}; keep one row for each image, since a score counts each image once"
        kind = "warning" if split == "train" and not unequal else "error"
        findings.append(make_finding(kind, "listed-twice", split, rows, len(places), message))
    return findings


def check_repeats(images: dict[str, list[Image]], remedy: str) -> list[Finding]:
    """Find pictures that are in two splits: with the same bytes, or, after a deep check, with a similar thumbnail.

    Args:
        images: the readable ones, by split.
        remedy: what to do about it.
    """
    findings = []
    splits = list(images)
    for first, second in ((a, b) for place, a in enumerate(splits) for b in splits[place + 1 :]):
        same = _find_same_bytes(images[first], images[second])
        known = {path for path, _ in same}
        near = [row for row in find_similar(images[first], images[second]) if row[0] not in known]
        total = len(images[second])
        for code, rows, what in (
            ("repeated", same, f"are in {first} too"),
            ("near-repeated", near, f"look the same as one of {first}"),
        ):
            if rows:
                message = (
                    f"{format_count(len(rows), total, f'images of {second}')} {what}: {list_files(rows)};"
                    f" scores on {second} flatter the model: {remedy}"
                )
                findings.append(make_finding("warning", code, f"{first}, {second}", rows, total, message))
    return findings


def _find_same_bytes(first: Sequence[Image], second: Sequence[Image]) -> list[tuple[Path, str]]:
    by_digest: dict[str, list[Path]] = {}
    for path, facts in first:
        by_digest.setdefault(facts.digest, []).append(path)
    rows = []
    for path, facts in second:
        for candidate in by_digest.get(facts.digest, ()):
            if filecmp.cmp(path, candidate, shallow=False):
                rows.append((path, f"same as {candidate}"))
                break
    return rows


def find_similar(first: Sequence[Image], second: Sequence[Image]) -> list[tuple[Path, str]]:
    """Compare dHash (Krawetz, 2013): the signs of the 64 differences between neighbours in a 9x8 thumbnail.

    Where all pictures look alike, as retinas do, their grey values must be far closer than is usual there.
    """
    known, tested = ([row for row in rows if row[1].thumbnail] for rows in (first, second))
    if not known or not tested:
        return []
    thumbnails, hashes = _compute_hashes(known)
    rows = []
    for (path, _), thumbnail, bits in zip(tested, *_compute_hashes(tested), strict=True):
        close = np.flatnonzero(np.bitwise_count(hashes ^ bits) <= _MAX_BITS)
        if close.size:
            all_differences = np.abs(thumbnails - thumbnail).mean((1, 2))
            differences = all_differences[close]
            usual = np.median(all_differences) if len(known) >= _MANY else np.inf
            if differences.min() <= min(_MAX_GREY, _MAX_OF_USUAL * usual):
                rows.append((path, f"looks like {known[close[differences.argmin()]][0]}"))
    return rows


def _compute_hashes(images: Sequence[Image]) -> tuple[np.ndarray, np.ndarray]:
    """Return thumbnails, int16, shape (num_images, 8, 9), and hashes, uint64, shape (num_images,)."""
    content = b"".join(bytes.fromhex(facts.thumbnail) for _, facts in images)
    thumbnails = np.frombuffer(content, np.uint8).reshape(-1, 8, 9).astype(np.int16)
    bits = np.packbits(thumbnails[:, :, 1:] > thumbnails[:, :, :-1], axis=2)
    return thumbnails, np.ascontiguousarray(bits).reshape(-1, 8).view(np.uint64)[:, 0]
