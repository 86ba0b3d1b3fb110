"""Whether files can be read, masks fit their images, and no picture stands in two splits."""

from __future__ import annotations

import filecmp
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from semseg.checks.file_facts import ImageFacts, MaskFacts
from semseg.checks.findings import Finding, found, named, share
from semseg.checks.parts import Files, Part
from semseg.system.folders import absolute_path

_MAX_BITS = 3  # of 64 that may differ between pictures that look the same
_MAX_GREY = 6.0  # and their thumbnails, in the mean, out of 255
_NUM_BROKEN = 8  # files that are named; the JSON lists them all
_TURNED = range(5, 9)  # EXIF orientations that swap width and height

Image = tuple[Path, ImageFacts]
Mask = tuple[Path, MaskFacts]


def check_readable(split: str, files: Sequence[Image | Mask]) -> list[Finding]:
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
            message = f"{share(len(rows), len(files), 'files')} {what}: {named(rows, _NUM_BROKEN)}; {remedy}"
            findings.append(found(kind, code, split, rows, len(files), message))
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
        seen, other = (turned, stored) if applies else (stored, turned)
        if seen[0] != seen[1]:
            (width, height), (mask_width, mask_height) = seen
            detail = f"{mask_width}x{mask_height}, its image {image_path.name} {width}x{height}"
            (by_exif if other[0] == other[1] else unequal).append((mask_path, detail))
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
            message = f"{share(len(rows), len(pairs), what)}, first {named(rows, 1)}; {remedy}"
            findings.append(found(kind, code, part.split, rows, len(pairs), message))
    return findings


def check_listed_once(files: dict[str, list[Files]]) -> list[Finding]:
    """Find pictures that one split lists twice: a score counts each picture once, and a training sees it more often.

    Args:
        files: of all parts, by split, in their order.
    """
    findings = []
    for split, listed in files.items():
        places: dict[Path, list[int]] = {}
        for place, pair in enumerate(listed, 1):
            places.setdefault(absolute_path(pair.image_path), []).append(place)
        repeated = [spots for spots in places.values() if len(spots) > 1]
        if not repeated:
            continue
        rows = [(listed[spots[0] - 1].image_path, f"rows {', '.join(map(str, spots))}") for spots in repeated]
        masks = [{listed[spot - 1].mask_path for spot in spots} for spots in repeated]
        unequal = [row for row, paths in zip(rows, masks, strict=True) if len(paths) > 1]
        what = f"{share(len(rows), len(places), f'images of {split}')} are listed more than once: {named(rows)}"
        if unequal:
            message = f"{what}; {unequal[0][0]} even with different masks: keep one row for each image"
        elif split == "train":
            message = f"{what}; a training sees them as often as they are listed"
        else:
            message = f"{what}; keep one row for each image, since a score counts each image once"
        kind = "warning" if split == "train" and not unequal else "error"
        findings.append(found(kind, "listed-twice", split, rows, len(places), message))
    return findings


def check_repeats(images: dict[str, list[Image]], way_out: str) -> list[Finding]:
    """Find pictures that are in two splits, byte by byte, and after deep reading by their looks.

    Args:
        images: readable ones, by split.
        way_out: what mends it.
    """
    findings = []
    splits = list(images)
    for first, second in ((a, b) for place, a in enumerate(splits) for b in splits[place + 1 :]):
        same = _same_bytes(images[first], images[second])
        known = {path for path, _ in same}
        near = [row for row in _same_looks(images[first], images[second]) if row[0] not in known]
        total = len(images[second])
        for code, rows, what in (
            ("repeated", same, f"are in {first} too"),
            ("near-repeated", near, f"look the same as one of {first}"),
        ):
            if rows:
                message = (
                    f"{share(len(rows), total, f'images of {second}')} {what}: {named(rows)};"
                    f" scores on {second} flatter the model: {way_out}"
                )
                findings.append(found("warning", code, f"{first}, {second}", rows, total, message))
    return findings


def _same_bytes(first: Sequence[Image], second: Sequence[Image]) -> list[tuple[Path, str]]:
    by_digest: dict[str, list[Path]] = {}
    for path, facts in first:
        by_digest.setdefault(facts.digest, []).append(path)
    rows = []
    for path, facts in second:
        for other in by_digest.get(facts.digest, ()):
            if filecmp.cmp(path, other, shallow=False):
                rows.append((path, f"same as {other}"))
                break
    return rows


def _same_looks(first: Sequence[Image], second: Sequence[Image]) -> list[tuple[Path, str]]:
    """Compare dHash (Krawetz, 2013): 64 signs of differences between neighbours in a 9x8 thumbnail."""
    ours, theirs = ([row for row in rows if row[1].thumbnail] for rows in (first, second))
    if not ours or not theirs:
        return []
    thumbnails, hashes = _hashed(ours)
    rows = []
    for (path, _), thumbnail, own in zip(theirs, *_hashed(theirs), strict=True):
        close = np.flatnonzero(np.bitwise_count(hashes ^ own) <= _MAX_BITS)
        if close.size:
            grey = np.abs(thumbnails[close] - thumbnail).mean((1, 2))
            if grey.min() <= _MAX_GREY:
                rows.append((path, f"looks like {ours[close[grey.argmin()]][0]}"))
    return rows


def _hashed(images: Sequence[Image]) -> tuple[np.ndarray, np.ndarray]:
    content = b"".join(bytes.fromhex(facts.thumbnail) for _, facts in images)
    thumbnails = np.frombuffer(content, np.uint8).reshape(-1, 8, 9).astype(np.int16)
    bits = np.packbits(thumbnails[:, :, 1:] > thumbnails[:, :, :-1], axis=2)
    return thumbnails, np.ascontiguousarray(bits).reshape(-1, 8).view(np.uint64)[:, 0]
