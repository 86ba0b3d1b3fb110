"""Turn drawn masks into train ids, by the rules of a dataset.yaml."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from semseg.datasets.dataset_file import DatasetFile
from semseg.datasets.dataset_keys import MAX_CLASSES, Color, RawValue
from semseg.datasets.image_files import NUM_SHOWN, listed, most_frequent, read_mask, size_of_picture, stored_values
from semseg.datasets.roi import ignore_outside
from semseg.errors import InvalidDataError, MissingDataError
from semseg.labels import IGNORED

_UNKNOWN = MAX_CLASSES  # marks values and colours without a rule in a lookup table


class Census(NamedTuple):
    """The content of a mask.

    Attributes:
        train_ids: uint8, shape (height, width); 255 also where the value or colour has no rule.
        unknown: stored value or colour -> number of pixels, for those without a rule, most frequent first.
        snapped: colour -> number of pixels, for colours that were replaced by the nearest known one, most frequent
            first.
    """

    train_ids: np.ndarray
    unknown: dict[RawValue, int]
    snapped: dict[RawValue, int]


def decode_mask(mask: str | Path | Image.Image, dataset_file: DatasetFile) -> np.ndarray:
    """Turn a mask into train ids.

    Args:
        mask: a file, or an image that PIL opened.
        dataset_file: the rules.

    Returns:
        Train ids, uint8, shape (height, width): 0 to the number of classes - 1, and 255 for ignored.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the mask does not have the encoding of the rules, or holds values or colours without a rule; the
            message names the file, the values or colours with their numbers of pixels, and the nearest known one.
    """
    image, name = _open(mask, dataset_file)
    if dataset_file.encoding == "rgb":
        packed = _pack_colors(image, name)
        table = _rgb_table(dataset_file, dataset_file.snap is not None)
        train_ids = table[packed]
        unseen = train_ids == _UNKNOWN
        if dataset_file.snap is not None and unseen.any():
            colors = np.unique(packed[unseen])
            table[colors] = _snap(colors, dataset_file)  # so that the nearest colour is searched once per colour
            train_ids[unseen] = table[packed[unseen]]
            unseen = train_ids == _UNKNOWN
    else:
        values = stored_values(image, name)
        train_ids = cv2.LUT(values, _value_table(image, dataset_file)[0])
        unseen = train_ids == _UNKNOWN
    if unseen.any():
        raise InvalidDataError(
            _describe_unknown(name, census(image, dataset_file).unknown, dataset_file), code="E-data-mask-values"
        )
    return train_ids


def decode_pair(
    image_path: str | Path, mask_path: str | Path | None, roi_path: str | Path | None, dataset_file: DatasetFile
) -> np.ndarray:
    """Return the train ids of a photograph: those of its mask, or the class `unlabelled` everywhere if it has no mask.

    Args:
        image_path: the photograph; only opened if there is no mask, to read its size.
        mask_path: its mask; None: it has none.
        roi_path: its region of interest, outside of which all pixels are ignored; None: it has none.
        dataset_file: the rules; `unlabelled` must be set if there is no mask.

    Raises:
        FileNotFoundError, ValueError: as in `decode_mask` and `ignore_outside`; or the photograph is missing or not
            readable.
    """
    train_ids = decode_mask(mask_path, dataset_file) if mask_path is not None else _fill(image_path, dataset_file)
    if roi_path is None:
        return train_ids
    return ignore_outside(train_ids, roi_path, dataset_file.exif, mask_path or image_path)


def _fill(image_path: str | Path, dataset_file: DatasetFile) -> np.ndarray:
    """Return the train ids of a photograph without mask."""
    try:
        width, height = size_of_picture(image_path, dataset_file.exif, dataset_file.bands is not None)
    except FileNotFoundError:
        raise MissingDataError(f"no image {image_path}", code="E-data-missing") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InvalidDataError(f"{image_path} is not a readable image ({error})", code="E-data-unreadable") from error
    assert dataset_file.unlabelled is not None
    return np.full((height, width), dataset_file.unlabelled, np.uint8)


def census(mask: str | Path | Image.Image, dataset_file: DatasetFile) -> Census:
    """Turn a mask into train ids and count its unknown values, instead of raising an error for them.

    Args:
        mask: a file, or an image that PIL opened.
        dataset_file: the rules.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the mask does not have the encoding of the rules.
    """
    image, name = _open(mask, dataset_file)
    if dataset_file.encoding == "rgb":
        packed = _pack_colors(image, name)
        train_ids = _rgb_table(dataset_file, False)[packed]
        unseen = train_ids == _UNKNOWN
        colors, inverse, counts = np.unique(packed[unseen], return_inverse=True, return_counts=True)
        nearest = _snap(colors, dataset_file)
        train_ids[unseen] = nearest[inverse]
        keys: list[RawValue] = [_unpack_color(color) for color in colors]
        is_snapped = nearest != _UNKNOWN
    else:
        values = stored_values(image, name)
        table, was_snapped, all_keys = _value_table(image, dataset_file)
        train_ids = cv2.LUT(values, table)
        all_counts = np.bincount(values.ravel(), minlength=256)
        chosen = np.flatnonzero((all_counts > 0) & (was_snapped | (table == _UNKNOWN)))
        keys, counts, is_snapped = [all_keys[i] for i in chosen], all_counts[chosen], was_snapped[chosen]
    train_ids[train_ids == _UNKNOWN] = IGNORED
    rows = list(zip(keys, counts, is_snapped, strict=True))
    unknown, snapped = (
        most_frequent(
            [key for key, _, is_near in rows if is_near == wanted],
            [count for _, count, is_near in rows if is_near == wanted],
        )
        for wanted in (False, True)
    )
    return Census(train_ids, unknown, snapped)


def _open(mask: str | Path | Image.Image, dataset_file: DatasetFile) -> tuple[Image.Image, str]:
    image = mask if isinstance(mask, Image.Image) else read_mask(mask, dataset_file.exif)
    name = str(getattr(image, "filename", "") or mask) if isinstance(mask, Image.Image) else str(mask)
    if image.format == "JPEG" and dataset_file.snap is None:
        raise InvalidDataError(
            f"{name} is a JPEG, which changes labels near edges; export PNG, or set snap", code="E-data-encoding"
        )
    if dataset_file.encoding == "palette" and image.mode != "P":
        raise InvalidDataError(
            f"{name} is {image.mode}, not a palette PNG; set encoding: {_encoding_for(image)}", code="E-data-encoding"
        )
    if dataset_file.encoding == "ids" and image.mode in ("RGB", "RGBA", "LA", "CMYK"):
        raise InvalidDataError(
            f"{name} is {image.mode}, not a mask of one channel; set encoding: rgb, and colours", code="E-data-encoding"
        )
    return image, name


def _encoding_for(image: Image.Image) -> str:
    return "rgb" if image.mode in ("RGB", "RGBA", "CMYK") else "ids"


def _pack_colors(image: Image.Image, name: str) -> np.ndarray:
    """Return the colour of each pixel as one number: uint32, 0xBBGGRR, shape (height, width)."""
    if image.mode[0] in "IF":  # `convert` would clip these values at 255
        image = Image.fromarray(stored_values(image, name))
    rgba = np.asarray(image.convert("RGBA"))
    packed = rgba.view("<u4")[..., 0]
    if (image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info) and rgba[..., 3].min() < 255:
        count = int((rgba[..., 3] < 255).sum())
        raise InvalidDataError(
            f"{name} has {count} pixels that are not opaque; export it without transparency", code="E-data-encoding"
        )
    return packed & 0xFFFFFF


def _unpack_color(packed: np.integer) -> Color:
    return int(packed) & 255, int(packed) >> 8 & 255, int(packed) >> 16 & 255


def _known_colors(dataset_file: DatasetFile) -> dict[Color, int]:
    colors = {color: train_id for train_id, color in enumerate(dataset_file.palette)}
    return colors | {key: value for key, value in dataset_file.label_map.items() if isinstance(key, tuple)}


@lru_cache(maxsize=4)
def _rgb_table(dataset_file: DatasetFile, with_snapped: bool) -> np.ndarray:
    """Return packed colour -> train id or _UNKNOWN; `decode_mask` adds snapped colours to the table `with_snapped`."""
    table = np.full(1 << 24, _UNKNOWN, np.uint8)
    for (red, green, blue), train_id in _known_colors(dataset_file).items():
        table[red | green << 8 | blue << 16] = train_id
    return table


def _snap(packed: np.ndarray, dataset_file: DatasetFile) -> np.ndarray:
    """Return the train ids of the nearest known colours; _UNKNOWN where that is further than `snap`."""
    if dataset_file.snap is None or not packed.size:
        return np.full(packed.shape, _UNKNOWN, np.uint8)
    train_ids, squares = _nearest(packed, dataset_file)
    return np.where(squares <= dataset_file.snap**2, train_ids, _UNKNOWN).astype(np.uint8)


def _nearest(packed: np.ndarray, dataset_file: DatasetFile) -> tuple[np.ndarray, np.ndarray]:
    """Return train ids of the nearest known colours, and squared distances, both of the shape of `packed`."""
    channels = [(packed >> shift & 255).astype(np.int32) for shift in (0, 8, 16)]
    best = np.full(packed.shape, 1 << 20, np.int32)
    train_ids = np.zeros(packed.shape, np.uint8)
    for color, train_id in _known_colors(dataset_file).items():
        red, green, blue = ((channel - part) ** 2 for channel, part in zip(channels, color, strict=True))
        square = red + green + blue
        closer = square < best
        best[closer], train_ids[closer] = square[closer], train_id
    return train_ids, best


def _value_table(image: Image.Image, rules: DatasetFile) -> tuple[np.ndarray, np.ndarray, list[RawValue]]:
    """Return for each of the 256 values: train id or _UNKNOWN, whether it was snapped, and its value or colour."""
    table = np.full(256, _UNKNOWN, np.uint8)
    snapped = np.zeros(256, bool)
    keys: list[RawValue] = list(range(256))
    if rules.encoding == "ids":
        table[: len(rules.classes)] = range(len(rules.classes))
        table[list(replaced_positions(rules))] = _UNKNOWN
        table[IGNORED] = IGNORED
    else:
        palette = image.getpalette("RGB")
        assert palette is not None  # `_open` lets only palette pictures through
        colors = np.reshape(palette, (-1, 3)).astype(np.uint32)
        palette_colors: list[Color] = [(int(red), int(green), int(blue)) for red, green, blue in colors]
        keys[: len(colors)] = palette_colors
        known = _known_colors(rules)
        table[: len(colors)] = [known.get(color, _UNKNOWN) for color in palette_colors]
        nearest = _snap(colors @ np.array([1, 1 << 8, 1 << 16], np.uint32), rules)
        snapped[: len(colors)] = (table[: len(colors)] == _UNKNOWN) & (nearest != _UNKNOWN)
        table[snapped] = nearest[snapped[: len(colors)]]
    for key, train_id in rules.label_map.items():
        if isinstance(key, int):
            table[key], snapped[key] = train_id, False
    return table, snapped, keys


def replaced_positions(rules: DatasetFile) -> dict[int, tuple[int, ...]]:
    """Return the stored values that do not mean the class at their position, because label_map gives it other values.

    With `encoding: ids`, a value means the class at its position in `classes`. If label_map gives other values to that
    class, the position itself is unknown, unless label_map lists it as well. Otherwise a set that stores 0 for sky and
    3 for road, read with `classes: [road]` and `label_map: {3: road}`, would count sky as road.

    Returns:
        By position: the values that label_map gives to its class. Empty for the other encodings.
    """
    if rules.encoding != "ids":
        return {}
    replaced: dict[int, tuple[int, ...]] = {}
    for value, train_id in rules.label_map.items():
        if isinstance(value, int) and train_id != IGNORED and train_id not in rules.label_map:
            replaced[train_id] = (*replaced.get(train_id, ()), value)
    return replaced


def explain_replaced(values: Iterable[int], rules: DatasetFile) -> str:
    """Explain why values are unknown although they are positions of classes; empty if none of them is a position."""
    replaced = replaced_positions(rules)
    chosen = [value for value in sorted(values) if value in replaced]
    if not chosen:
        return ""
    value, mapped = chosen[0], replaced[chosen[0]]
    name = rules.classes[value]
    return (
        f"label_map gives {' and '.join(map(str, mapped))} to {name}, so {value}, the position of {name} in classes,"
        f" does not mean {name} any more; add {value} to label_map, as {name}, another class or ignore"
    )


def _describe_unknown(name: str, unknown: dict[RawValue, int], dataset_file: DatasetFile) -> str:
    names = {**dict(enumerate(dataset_file.classes)), IGNORED: "ignore"}
    first, *_ = unknown
    if isinstance(first, int):
        if reason := explain_replaced((key for key in unknown if isinstance(key, int)), dataset_file):
            return f"{name} holds values without a rule: {listed(unknown)}; {reason}"
        known_values = {key for key in dataset_file.label_map if isinstance(key, int)} | {IGNORED}
        if dataset_file.encoding == "ids":
            known_values |= set(range(len(dataset_file.classes))) - set(replaced_positions(dataset_file))
        nearest = min(known_values, key=lambda value: abs(value - first))
        nearest_id = dataset_file.label_map.get(nearest, nearest)
        return (
            f"{name} holds values outside 0..{len(dataset_file.classes) - 1} and 255: {listed(unknown)};"
            f" nearest known is {nearest} ({names[nearest_id]}); name them in label_map, as a class or as ignore"
        )
    colors = [key for key in list(unknown)[:NUM_SHOWN] if isinstance(key, tuple)]
    packed = np.array([red | green << 8 | blue << 16 for red, green, blue in colors], np.uint32)
    train_ids, squares = _nearest(packed, dataset_file)
    notes = {
        color: f" (nearest {names[int(train_id)]}, {square**0.5:.0f} away)"
        for color, train_id, square in zip(colors, train_ids, squares, strict=True)
    }
    return (
        f"{name} holds {len(unknown)} colour{'s' * (len(unknown) > 1)} not in the list:"
        f" {listed(unknown, notes)}; add to classes or label_map, or set snap"
    )
