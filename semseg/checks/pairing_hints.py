"""Find out why the names of photographs and masks do not match, and which setting would make them match."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

_SEPARATORS = "_-."
_NUM_COMPARED = 200  # names that are compared to find a suffix


def explain_missing_partners(
    images: Sequence[Path], masks: Sequence[Path], folders: Sequence[Path], keys: tuple[str, str]
) -> str:
    """Say which suffixes would pair the images and masks that have no partner, or why no suffix would.

    Args:
        images: without a mask.
        masks: without an image.
        folders: of the images and of the masks.
        keys: the settings that hold the suffixes of images and of masks.

    Returns:
        The end of a sentence; empty if the names do not explain it.
    """
    image_names, mask_names = (
        [path.relative_to(folder).as_posix() for path in paths]
        for paths, folder in zip((images, masks), folders, strict=True)
    )
    merge = (
        "masks of one class each become a set with python tools/dataset.py import class-masks"
        f" {folders[1]} --images {folders[0]} --out DIR"
    )
    ends = _count_ends(sorted(image_names), mask_names)
    matches = {pair: _count_matches(image_names, mask_names, pair) for pair, _ in ends.most_common(8)}
    fitting = {pair: count for pair, count in matches.items() if 2 * count > min(len(images), len(masks))}
    # if each image has several masks, every ending pairs many of the images, but only a part of the masks
    rivals = {pair: count for pair, count in matches.items() if 2 * count > len(images)}
    same_images = {image_end for image_end, _ in rivals}
    if len(rivals) > 1 and len(same_images) == 1:
        endings = ", ".join(f"*{mask_end} {count}" for (_, mask_end), count in sorted(rivals.items()))
        return (
            f"there are several masks for each image ({endings}): set {keys[1]} to the one that holds all classes;"
            f" {merge}"
        )
    if class_folders := _find_class_folders(image_names, mask_names):
        folder_counts = ", ".join(f"{folder}/ {count}" for folder, count in sorted(class_folders.items()))
        return f"there are several masks for each image ({folder_counts}): {merge}"
    if fitting:
        image_end, mask_end = max(fitting, key=fitting.__getitem__)
        settings = f"{keys[0]} {image_end!r} and {keys[1]} {mask_end!r}"
        return f"with {settings} {fitting[image_end, mask_end]} of them would match; set these"
    return _explain_prefixes(image_names, mask_names)


def _count_ends(image_names: Sequence[str], mask_names: Sequence[str]) -> Counter[tuple[str, str]]:
    """Count the pairs of endings that remain after the shared beginning of an image and a mask name.

    Args:
        image_names: sorted.
        mask_names: in any order.
    """
    ends: Counter[tuple[str, str]] = Counter()
    for name in mask_names[:_NUM_COMPARED]:
        place = bisect.bisect(image_names, name)
        near = image_names[max(0, place - 1) : place + 1]
        shared, best = max((_count_shared(name, image_name), image_name) for image_name in near)
        is_folder = name[:shared].endswith("/")
        if shared and (is_folder or (name[shared] in _SEPARATORS and best[shared] in _SEPARATORS)):
            ends[best[shared:], name[shared:]] += 1
    return ends


def _count_shared(first: str, second: str) -> int:
    """Return the length of the beginning that two names share, without extensions and trailing separators."""
    stems = [name.rpartition(".")[0] for name in (first, second)]
    same = [a == b for a, b in zip(*stems, strict=False)]
    return len(first[: [*same, False].index(False)].rstrip(_SEPARATORS))


def _find_class_folders(image_names: Sequence[str], mask_names: Sequence[str]) -> dict[str, int]:
    """Count the images that have a mask in each folder of masks; empty unless several folders have many."""
    stems = {name.rpartition(".")[0] for name in image_names}
    parts = [name.rpartition(".")[0].partition("/") for name in mask_names]
    counts = Counter(folder for folder, _, rest in parts if rest in stems)
    many = {folder: count for folder, count in counts.items() if 2 * count > len(image_names)}
    return many if len(many) > 1 else {}


def _count_matches(image_names: Sequence[str], mask_names: Sequence[str], ends: tuple[str, str]) -> int:
    stems = [
        {name.removesuffix(end) for name in names if name.endswith(end)}
        for names, end in zip((image_names, mask_names), ends, strict=True)
    ]
    return len(stems[0] & stems[1])


def _explain_prefixes(image_names: Sequence[str], mask_names: Sequence[str]) -> str:
    """Say that names differ at their beginning, as image_1 and mask_1 do; no setting can pair these."""
    parts = [[name.rpartition("/")[::2] for name in names] for names in (image_names, mask_names)]
    stems = [[(folder, name.rpartition(".")[0]) for folder, name in names] for names in parts]
    prefixes = [_common_prefix([stem for _, stem in names]).rstrip("0123456789") for names in stems]
    rests = [
        {(folder, stem.removeprefix(prefix)) for folder, stem in names}
        for names, prefix in zip(stems, prefixes, strict=True)
    ]
    if prefixes[0] == prefixes[1] or 2 * len(rests[0] & rests[1]) <= min(map(len, rests)):
        return ""
    first_image, first_mask = (min(names).rpartition("/")[2] for names in (image_names, mask_names))
    return (
        f"images and masks pair by the beginning of their names, and these begin with {prefixes[0]!r} and"
        f" {prefixes[1]!r} ({first_image}, {first_mask}): rename one of the two"
    )


def _common_prefix(names: Sequence[str]) -> str:
    first, last = min(names), max(names)  # all names are sorted between these two, so they share the same prefix
    num_shared = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:num_shared]
