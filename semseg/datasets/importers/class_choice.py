"""Choose the classes of a set whose labels are known, by the map of the user."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from semseg.datasets.dataset_keys import IGNORE, Color, hex_color, parse_color
from semseg.datasets.importers.class_lists import Classes, complete_classes, vet_map
from semseg.datasets.importers.parsed import Key, Label, Parsed
from semseg.errors import InvalidDataError, InvalidInputError
from semseg.labels import IGNORED, distinct_colors


def labels_of(classes: Classes, encoding: str) -> tuple[Label, ...]:
    """Return the labels of masks whose colours, or values from 0 on, are those of a class list."""
    rows = zip(classes.names, classes.colors, strict=True)
    if encoding == "ids":
        return tuple(Label(value, name, color) for value, (name, color) in enumerate(rows))
    return (*(Label(color, name, color) for name, color in rows), *(Label(c, None) for c in classes.ignored_colors))


def choose_classes(found: Parsed, label_map: Mapping[str, str]) -> tuple[Classes, dict[Key, int], list[str]]:
    """Apply the user's map to the labels of a set.

    The classes keep their order. A class that the map gives another name is dropped; a new name has the place of the
    first class that it replaces, or is the last one if it comes from values that were no class. With `found.origin`,
    all classes stay, and there are no new ones.

    Args:
        found: with `labels`.
        label_map: stored value, colour (`#rrggbb`) or name of a class -> class, or `ignore`; with `found.origin` only
            values and colours.

    Returns:
        The classes, the train id of each key, and notes for the user.

    Raises:
        ValueError: a key or class of the map is not possible, or no class is left.
    """
    labels, stays = found.labels or (), found.origin is not None
    names: dict[Key, str] = {}
    used = set()
    for label in labels:
        texts = [_format_key(label.key), *([label.name] if label.name and not stays else [])]
        chosen = next((text for text in texts if text in label_map), None)
        names[label.key] = label_map[chosen] if chosen is not None else (label.name or IGNORE)
        used.update(text for text in texts if text in label_map)
    for text in label_map:
        if text not in used:
            names[_parse_key(text, label_map[text], found)] = label_map[text]
    wanted = {name for name in names.values() if name != IGNORE}
    if stays:
        wanted = {label.name for label in labels if label.name}
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
    origin = found.origin or f"the {len(order)} classes of {found.title}"
    try:
        classes = complete_classes(list(zip(order, colors, strict=True)), origin)
    except InvalidDataError as error:
        raise InvalidDataError(f"{found.title}: {error}", code=error.code) from None
    vet_map(label_map, classes)
    notes = [f"new classes of `label_map`: {', '.join(new)}"] if new else []
    if num_replaced:
        notes.append(f"colours: {num_replaced} classes have the colour of another one, and got a new one")
    ids = {name: train_id for train_id, name in enumerate(classes.names)} | {IGNORE: IGNORED}
    return classes, {key: ids[name] for key, name in names.items()}, notes


def _format_key(key: Key) -> str:
    """Write a stored value, a colour or a label as the user gives it in `label_map`."""
    return hex_color(key) if isinstance(key, tuple) else str(key)


def _parse_key(text: str, name: str, found: Parsed) -> Key:
    """Read a key of the map that is not in the set: a further value of the masks, or label of a shape."""
    if found.encoding == "shapes":
        return text
    try:
        if found.encoding == "rgb":
            return parse_color(text)
        (value,) = bytes([int(text)])
        return value
    except ValueError:
        is_rgb = found.encoding == "rgb"
        if found.origin is not None:
            kind, example = ("colours", "#ff0000") if is_rgb else ("stored ids from 0 to 255", "12")
            raise InvalidInputError(
                f"`label_map` {text}={name}: the labels of these masks are {kind}, such as '{example}={name}'",
                code="E-input-value",
            ) from None
        names = [label.name for label in found.labels or () if label.name]
        near = difflib.get_close_matches(text, names, 1, 0.6)
        other = "a colour such as '#ff0000'" if is_rgb else "a stored value from 0 to 255"
        raise InvalidInputError(
            f"`label_map`: {text!r} is not a class of {found.title}; "
            + (f"did you mean {near[0]!r}?" if near else f"expected one of its classes, or {other}"),
            code="E-input-value",
        ) from None


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
