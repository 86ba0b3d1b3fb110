"""Why the names of photographs and masks do not meet, and what would make them."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

_SEPARATORS = "_-."
_NUM_COMPARED = 200  # names, to find a suffix


def name_partners(images: Sequence[Path], masks: Sequence[Path], folders: Sequence[Path], keys: tuple[str, str]) -> str:
    """Say which suffixes would pair images and masks that have no partner, or why none would.

    Args:
        images: without a mask.
        masks: without an image.
        folders: of the images and of the masks.
        keys: the settings that name the suffixes.

    Returns:
        The end of a sentence; empty if nothing in the names explains it.
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
    matches = {pair: _num_matches(image_names, mask_names, pair) for pair, _ in ends.most_common(8)}
    fitting = {pair: count for pair, count in matches.items() if 2 * count > min(len(images), len(masks))}
    # of images with several masks each, every ending pairs fewer masks than there are, but many images
    rivals = {pair: count for pair, count in matches.items() if 2 * count > len(images)}
    same_images = {image_end for image_end, _ in rivals}
    if len(rivals) > 1 and len(same_images) == 1:
        endings = ", ".join(f"*{mask_end} {count}" for (_, mask_end), count in sorted(rivals.items()))
        return (
            f"there are several masks for each image ({endings}): set {keys[1]} to the one that holds all classes;"
            f" {merge}"
        )
    if class_folders := _class_folders(image_names, mask_names):
        listed = ", ".join(f"{folder}/ {count}" for folder, count in sorted(class_folders.items()))
        return f"there are several masks for each image ({listed}): {merge}"
    if fitting:
        image_end, mask_end = max(fitting, key=fitting.__getitem__)
        settings = f"{keys[0]} {image_end!r} and {keys[1]} {mask_end!r}"
        return f"with {settings} {fitting[image_end, mask_end]} of them would match; set these"
    return _name_heads(image_names, mask_names)


def _count_ends(image_names: Sequence[str], mask_names: Sequence[str]) -> Counter[tuple[str, str]]:
    """Count what names of images and masks end with once the part that they share is taken off.

    Args:
        image_names: sorted.
        mask_names: in any order.
    """
    ends: Counter[tuple[str, str]] = Counter()
    for name in mask_names[:_NUM_COMPARED]:
        place = bisect.bisect(image_names, name)
        near = image_names[max(0, place - 1) : place + 1]
        shared, best = max((_num_shared(name, other), other) for other in near)
        is_folder = name[:shared].endswith("/")
        if shared and (is_folder or (name[shared] in _SEPARATORS and best[shared] in _SEPARATORS)):
            ends[best[shared:], name[shared:]] += 1
    return ends


def _num_shared(name: str, other: str) -> int:
    """Count the characters that two names begin with, without extensions and the separators at their end."""
    stems = [one.rpartition(".")[0] for one in (name, other)]
    same = [a == b for a, b in zip(*stems, strict=False)]
    return len(name[: [*same, False].index(False)].rstrip(_SEPARATORS))


def _class_folders(image_names: Sequence[str], mask_names: Sequence[str]) -> dict[str, int]:
    """Count the images of which each folder of masks has one; empty unless several folders have many."""
    stems = {name.rpartition(".")[0] for name in image_names}
    parts = [name.rpartition(".")[0].partition("/") for name in mask_names]
    counts = Counter(folder for folder, _, rest in parts if rest in stems)
    many = {folder: count for folder, count in counts.items() if 2 * count > len(image_names)}
    return many if len(many) > 1 else {}


def _num_matches(image_names: Sequence[str], mask_names: Sequence[str], ends: tuple[str, str]) -> int:
    stems = [
        {name.removesuffix(end) for name in names if name.endswith(end)}
        for names, end in zip((image_names, mask_names), ends, strict=True)
    ]
    return len(stems[0] & stems[1])


def _name_heads(image_names: Sequence[str], mask_names: Sequence[str]) -> str:
    """Say that names differ in their beginning, as image_1 and mask_1 do, for which there is no setting."""
    parts = [[name.rpartition("/")[::2] for name in names] for names in (image_names, mask_names)]
    stems = [[(folder, name.rpartition(".")[0]) for folder, name in names] for names in parts]
    heads = [_common_start([stem for _, stem in names]).rstrip("0123456789") for names in stems]
    rests = [
        {(folder, stem.removeprefix(head)) for folder, stem in names} for names, head in zip(stems, heads, strict=True)
    ]
    if heads[0] == heads[1] or 2 * len(rests[0] & rests[1]) <= min(map(len, rests)):
        return ""
    first_image, first_mask = (min(names).rpartition("/")[2] for names in (image_names, mask_names))
    return (
        f"images and masks pair by the beginning of their names, and these begin with {heads[0]!r} and {heads[1]!r}"
        f" ({first_image}, {first_mask}): rename one of the two"
    )


def _common_start(names: Sequence[str]) -> str:
    first, last = min(names), max(names)  # what these two share, all between them share
    num_shared = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:num_shared]
