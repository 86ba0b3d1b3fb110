"""A labelled set as it is published: all its splits, and what each stored value means.

Readers of such sets return a `WholeSet`; `whole_set_import` checks it, and writes the dataset.yaml. Masks that hold ids
stay where they are, because a dataset.yaml can describe them; coloured masks and polygons become index PNGs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from semseg.datasets.dataset_keys import IGNORE, Color, RawValue, hex_color, parse_color
from semseg.datasets.importers.class_lists import Classes, complete_classes
from semseg.datasets.importers.colors import annotate
from semseg.datasets.importers.shapes import Annotated
from semseg.datasets.pairs import name_files
from semseg.errors import InvalidDataError, InvalidInputError, MissingDataError
from semseg.labels import IGNORED, distinct_colors
from semseg.system.wording import listing

Key = RawValue | str
"""A stored value, a colour, or the label of a shape."""


class Label(NamedTuple):
    """The class of a stored value, of a colour, or of the label of a shape; `name` is None if it is ignored."""

    key: Key
    name: str | None
    color: Color | None = None


@dataclass(frozen=True)
class WholeSet:
    """A set on the disk.

    Attributes:
        title: what it is called in messages.
        encoding: `ids` or `rgb` (masks), or `shapes`.
        labels: everything that a mask or shape may hold, in the order of the classes.
        splits: the images of train, val and test, as far as there are, sorted by name.
        notes: what was left out, or is noteworthy.
        background: with `shapes`: the label of pixels without a shape.
    """

    title: str
    encoding: str
    labels: tuple[Label, ...]
    splits: Mapping[str, tuple[Annotated, ...]]
    notes: tuple[str, ...] = ()
    background: str | None = None


def choose_classes(
    labels: Sequence[Label], label_map: Mapping[str, str], title: str, encoding: str
) -> tuple[Classes, dict[Key, int], list[str]]:
    """Apply the user's map to the labels of a set.

    The classes keep their order. A class that the map gives another name is dropped; a new name has the place of the
    first class that it replaces, or is the last one if it comes from values that were no class.

    Args:
        labels: of the set.
        label_map: stored value, colour (`#rrggbb`) or name of a class -> class, or `ignore`.
        title: of the set, for messages.
        encoding: as in `WholeSet`; decides what else a key of the map may be: a further value or colour.

    Returns:
        The classes, the train id of each key, and notes for the user.

    Raises:
        ValueError: a key of the map is neither in the set nor a value, or no class is left.
    """
    names: dict[Key, str] = {}
    used = set()
    for label in labels:
        texts = [format_key(label.key), *filter(None, [label.name])]
        chosen = next((text for text in texts if text in label_map), None)
        names[label.key] = label_map[chosen] if chosen is not None else (label.name or IGNORE)
        used.update(text for text in texts if text in label_map)
    for text in label_map.keys() - used:
        names[_parse_key(text, encoding, labels, title)] = label_map[text]
    wanted = {name for name in names.values() if name != IGNORE}
    color_of = {label.name: label.color for label in reversed(labels) if label.name in wanted}
    new = [name for name in dict.fromkeys(label_map.values()) if name in wanted and name not in color_of]
    order: list[str] = []
    for label in labels:
        if label.name is not None and label.name in color_of:
            order.append(label.name)
        elif label.name is not None and names[label.key] in new:
            order.append(names[label.key])  # where the first class was that it replaces
    order = list(dict.fromkeys([*order, *new]))
    for label in labels:
        color_of.setdefault(names[label.key], label.color)
    colors, num_replaced = _make_unique([color_of.get(name) for name in order])
    try:
        classes = complete_classes(list(zip(order, colors, strict=True)), f"the {len(order)} classes of {title}")
    except InvalidDataError as error:
        raise InvalidDataError(f"{title}: {error}", code=error.code) from None
    ids = {name: train_id for train_id, name in enumerate(classes.names)} | {IGNORE: IGNORED}
    notes = [f"new classes of `label_map`: {', '.join(new)}"] if new else []
    if num_replaced:
        notes.append(f"colours: {num_replaced} classes have the colour of another one, and got a new one")
    return classes, {key: ids[name] for key, name in names.items()}, notes


def format_key(key: Key) -> str:
    """Write a stored value, a colour or a label as the user gives it in `label_map`."""
    return hex_color(key) if isinstance(key, tuple) else str(key)


def pair_folders(
    image_dir: Path, mask_dir: Path, image_suffix: Sequence[str], mask_suffix: Sequence[str], prefix: str = ""
) -> tuple[list[Annotated], list[Path]]:
    """Pair images and masks of two folders, or of one, by their names without suffix.

    Args:
        image_dir: folder of the images.
        mask_dir: folder of the masks.
        image_suffix: ends of image names.
        mask_suffix: ends of mask names.
        prefix: of the names of the pairs, for sets with several such folders.

    Returns:
        Images with masks, sorted by name, and the images without mask. An image that is missing has its expected path.

    Raises:
        ValueError: two files have the same name, or a mask is not an image.
    """
    mask_of = name_files(mask_dir, mask_suffix)
    masks = set(mask_of.values())
    if mask_dir == image_dir:
        image_suffix = [suffix for suffix in image_suffix if suffix not in mask_suffix]
    image_of = {
        name: path
        for name, path in (name_files(image_dir, image_suffix).items() if image_dir.is_dir() else ())
        if path not in masks
    }
    pairs = []
    for name, mask_path in sorted(mask_of.items()):
        image_path = image_of.get(name, image_dir / f"{name}{image_suffix[0]}")
        pairs.append(annotate(f"{prefix}{name}", image_path, mask_path))
    return pairs, [path for name, path in sorted(image_of.items()) if name not in mask_of]


def describe_lone_images(split: str, images: Sequence[Path], folder: Path) -> list[str]:
    """Return a note about images without masks, which are left out."""
    return [f"left out: {len(images)} images of {split} without masks in {folder}"] if images else []


def vet_splits(splits: Mapping[str, Iterable[Annotated]], source: Path) -> None:
    """Raise an error if an image is in two splits, or if there is no image at all.

    Raises:
        ValueError: one of these.
    """
    split_of: dict[Path, str] = {}
    for split, images in splits.items():
        for annotated in images:
            path = annotated.image_paths[0]
            if split_of.setdefault(path, split) != split:
                raise InvalidDataError(
                    f"{path} is in {split_of[path]} and in {split}; keep it in one of them", code="E-data-duplicate"
                )
    if not split_of:
        raise InvalidDataError(f"{source}: no image with a mask", code="E-data-empty")


def missing_layout(source: Path, title: str, expected: Iterable[str]) -> MissingDataError:
    """Return the error that a folder does not have the layout of a set."""
    if not source.exists():
        return MissingDataError(f"no folder {source} with {title}", code="E-data-missing")
    holds = "it is a file"
    if source.is_dir():
        holds = f"it holds {listing(sorted(path.name for path in source.iterdir()), 6) or 'nothing'}"
    return MissingDataError(
        f"{source} is not the folder of {title}: expected {' or '.join(expected)}; {holds}", code="E-data-missing"
    )


def _make_unique(colors: Sequence[Color | None]) -> tuple[list[Color], int]:
    """Replace repeated and missing colours; also return how many were repeated."""
    given = {color for color in colors if color is not None}
    spare = iter([color for color in distinct_colors(255) if color not in given])
    unique: list[Color] = []
    num_replaced = 0
    for color in colors:
        num_replaced += color is not None and color in unique
        unique.append(next(spare) if color is None or color in unique else color)
    return unique, num_replaced


def _parse_key(text: str, encoding: str, labels: Sequence[Label], title: str) -> Key:
    """Read a key of the map that is not in the set: a further value of the masks, or label of a shape."""
    if encoding == "shapes":
        return text
    try:
        if encoding == "rgb":
            return parse_color(text)
        (value,) = bytes([int(text)])
        return value
    except ValueError:
        names = [label.name for label in labels if label.name]
        near = difflib.get_close_matches(text, names, 1, 0.6)
        other = "a colour such as '#ff0000'" if encoding == "rgb" else "a stored value from 0 to 255"
        raise InvalidInputError(
            f"`label_map`: {text!r} is not a class of {title}"
            + (f"; did you mean {near[0]!r}?" if near else f"; expected one of its classes, or {other}"),
            code="E-input-value",
        ) from None
