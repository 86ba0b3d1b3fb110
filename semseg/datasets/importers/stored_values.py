"""Count the values and colours of masks, and compare them with the classes of their set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import numpy as np
from PIL import Image

from semseg.datasets.dataset_file import DatasetFile
from semseg.datasets.dataset_keys import IGNORE, Color, hex_color
from semseg.datasets.image_files import stored_values
from semseg.datasets.importers.writing import Picture
from semseg.datasets.masks import census
from semseg.datasets.roi import read_roi
from semseg.errors import InvalidDataError
from semseg.labels import IGNORED
from semseg.system.wording import listing
from semseg.system.worker_pool import run_all

_NUM_SHOWN = 5


def count_values(masks: Iterable[Image.Image], encoding: str) -> list[tuple[str, int]]:
    """Return the values or colours of masks with their number of pixels, the most frequent first."""
    counts: Counter = Counter()
    for mask in masks:
        image = mask.convert("RGB") if encoding == "rgb" else Image.fromarray(stored_values(mask))
        counts.update({value: num_px for num_px, value in image.getcolors(1 << 24) or ()})
    return [(_format(value, encoding == "ids"), num_px) for value, num_px in counts.most_common()]


def check_masks(
    pictures: Sequence[Picture],
    rules: DatasetFile,
    origin: str,
    num_processes: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Check that every pixel of the masks has the colour or value of a class, and their sizes.

    Args:
        pictures: with masks.
        rules: the meaning of their values or colours.
        origin: of the classes, for messages.
        num_processes: how many check masks.
        on_progress: called with the number of masks that were checked, and of all.

    Returns:
        A note with the number of pixels whose colour is replaced by the nearest one, if there are any.

    Raises:
        ValueError: pixels have other colours or values; the message has their numbers, and the nearest classes. Or a
            mask or region of interest has another size than its image.
    """
    results = run_all(partial(_check, rules), pictures, num_processes, on_progress)
    unknown, in_masks = Counter(), Counter()
    for counts, _ in results:
        unknown.update(counts)
        in_masks.update(counts.keys())
    if unknown:
        stores_ids = rules.encoding == "ids"
        described_colors = [
            f"{_format(color, stores_ids)} ({num_px} px in {in_masks[color]} of {len(results)} masks"
            + (")" if stores_ids else f", {_nearest(color, rules)})")
            for color, num_px in unknown.most_common(_NUM_SHOWN)
        ]
        noun = f"{'value' if stores_ids else 'colour'}{'s are' if len(unknown) > 1 else ' is'}"
        first = _format(unknown.most_common(1)[0][0], stores_ids)
        advice = f"give for example `label_map` '{first}={IGNORE}'"
        raise InvalidDataError(
            f"{len(unknown)} {noun} not in {origin}: {listing(described_colors, _NUM_SHOWN)}; "
            + (advice if stores_ids else f"add them there, {advice}, or `snap` DISTANCE"),
            code="E-data-mask-values",
        )
    num_snapped = sum(snapped for _, snapped in results)
    return [f"snapped: {num_snapped} px to the nearest colour"] if num_snapped else []


def _check(rules: DatasetFile, picture: Picture) -> tuple[Mapping, int]:
    """Return the unknown values of a mask, and how many pixels are snapped."""
    counted = census(picture.open_mask(), rules)
    regions: list[tuple[object, np.ndarray]] = [(picture.mask, counted.train_ids)]
    if picture.roi_path is not None:
        regions.append((picture.roi_path, read_roi(picture.roi_path)))
    for place, pixels in regions:
        if pixels.shape[::-1] != picture.size:
            (height, width), (image_width, image_height) = pixels.shape, picture.size
            raise InvalidDataError(
                f"{place} is {width}x{height}, its image {picture.image_path} is {image_width}x{image_height}",
                code="E-data-size",
            )
    return counted.unknown, sum(counted.snapped.values())


def _format(value: Color | int, is_id: bool) -> str:
    if is_id:
        return str(value)
    return hex_color(value if isinstance(value, tuple) else (value,) * 3)


def _nearest(color: Color, rules: DatasetFile) -> str:
    known = dict(zip(rules.palette, rules.classes, strict=True))
    names = (*rules.classes, *[IGNORE] * (IGNORED + 1))
    for key, train_id in rules.label_map.items():
        if isinstance(key, tuple):
            known[key] = names[min(train_id, len(names) - 1)]

    def distance(other: Color) -> float:
        return sum((a - b) ** 2 for a, b in zip(color, other, strict=True)) ** 0.5

    best = min(known, key=distance)
    return f"nearest {known[best]} {hex_color(best)}, {distance(best):.0f} away"
