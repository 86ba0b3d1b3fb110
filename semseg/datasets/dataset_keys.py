"""The values of the keys of a `dataset.yaml`: each is read and checked by a function of its own."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from semseg import labels
from semseg.datasets.spelling import DIFFERENCE, list_names, spellings_of_one
from semseg.errors import InvalidDataError

Color = tuple[int, int, int]  # RGB
RawValue = int | Color
"""A stored value or colour of a mask."""

ENCODINGS = ("ids", "palette", "rgb")
SPLITS = ("train", "val", "test")
IGNORE = "ignore"
MAX_CLASSES = 254  # 255 is ignored, 254 marks unknown values while a mask is decoded


class Split(NamedTuple):
    """One split: two or three folders, or a list of pairs; relative to the root of the set.

    `roi` has a mask for each photograph that says which part of it counts; in a list, it is the third column.
    """

    images: Path | None = None
    masks: Path | None = None
    pairs: Path | None = None
    roi: Path | None = None


def hex_color(color: Color) -> str:
    """Write a colour as `#rrggbb`."""
    return "#" + bytes(color).hex()


def parse_color(value: Any) -> Color:
    """Read a colour: `[red, green, blue]` or `'#rrggbb'`.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        red, green, blue = bytes.fromhex(value[1:])
        return red, green, blue
    if isinstance(value, (list, tuple)) and len(value) == 3 and all(map(_is_byte, value)):
        red, green, blue = value
        return red, green, blue
    raise InvalidDataError(
        f"{value!r} is not a colour; expected [red, green, blue] of 0 to 255, or '#rrggbb' in quotes",
        code="E-data-color",
    )


def read_splits(value: Any) -> dict[str, Split]:
    example = "expected such as train: {images: FOLDER, masks: FOLDER}, with roi: FOLDER if need be, or {pairs: FILE}"
    if not isinstance(value, dict) or not value:
        raise InvalidDataError(f"splits: {example}", code="E-data-yaml")
    check_keys(value, SPLITS, "split")
    splits = {}
    for name, places in value.items():
        if not isinstance(places, dict):
            raise InvalidDataError(f"splits.{name}: {example}", code="E-data-yaml")
        check_keys(places, Split._fields, f"key in splits.{name}:")
        if set(places) == {"pairs", "roi"}:
            raise InvalidDataError(
                f"splits.{name}: roi has no effect beside pairs; give the regions in a third column of the list",
                code="E-data-yaml",
            )
        keys = set(places) - {"roi"} if "images" in places else set(places)
        if keys not in ({"images", "masks"}, {"pairs"}) or not all(isinstance(p, str) for p in places.values()):
            raise InvalidDataError(f"splits.{name}: {example}", code="E-data-yaml")
        splits[name] = Split(**{key: Path(place) for key, place in places.items()})
    return splits


def read_classes(value: Any, encoding: str) -> tuple[tuple[str, ...], tuple[Color, ...]]:
    if value == "cityscapes":
        space = labels.CITYSCAPES
        return space.classes, tuple(label.color for label in space.evaluated)
    if not isinstance(value, list) or not value:
        raise InvalidDataError(
            "classes: expected a list such as - {name: road, color: [128, 64, 128]}, or cityscapes", code="E-data-yaml"
        )
    if len(value) > MAX_CLASSES:
        raise InvalidDataError(
            f"classes: {len(value)} of them; a mask of bytes has room for {MAX_CLASSES}", code="E-data-yaml"
        )
    names: list[str] = []
    colors: dict[Color, str] = {}
    default_colors = labels.distinct_colors(len(value))
    for position, row in enumerate(value):
        row = {"name": row} if isinstance(row, str) else row
        if not isinstance(row, dict):
            raise InvalidDataError(
                f"classes: {row!r}: expected {{name: road, color: [128, 64, 128]}}", code="E-data-yaml"
            )
        check_keys(row, ("name", "color"), f"key in class {position}:")
        name = row.get("name")
        if not isinstance(name, str) or not name or name == IGNORE:
            raise InvalidDataError(
                f"classes: {name!r} is not a class name; expected a word, in quotes if need be", code="E-data-yaml"
            )
        if name != name.strip():
            raise InvalidDataError(
                f"classes: {name!r} begins or ends with a space; write {name.strip()!r}", code="E-data-yaml"
            )
        if name in names:
            raise InvalidDataError(f"classes: {name!r} is listed twice", code="E-data-yaml")
        if row.get("color") is None and encoding != "ids":
            raise InvalidDataError(
                f"classes: {name!r} has no color; encoding {encoding} is read by colours", code="E-data-yaml"
            )
        try:
            color = default_colors[position] if row.get("color") is None else parse_color(row["color"])
        except InvalidDataError as error:
            raise InvalidDataError(f"classes: {name!r}: {error}", code=error.code) from error
        if color in colors:
            raise InvalidDataError(
                f"classes: {colors[color]!r} and {name!r} have the same color, {hex_color(color)}", code="E-data-yaml"
            )
        names.append(name)
        colors[color] = name
    if spellings := spellings_of_one(names):
        raise InvalidDataError(
            f"classes: {list_names(spellings)} {DIFFERENCE}, so one class would be learnt as {len(spellings)}; keep"
            " one of them, and give it the values or colours of the others in label_map",
            code="E-data-yaml",
        )
    return tuple(names), tuple(colors)


def read_label_map(value: Any, classes: tuple[str, ...], encoding: str) -> dict[RawValue, int]:
    if not isinstance(value, dict):
        raise InvalidDataError(
            "label_map: expected such as {7: road, 255: ignore}, or {'#ffffff': ignore}", code="E-data-yaml"
        )
    train_ids = {**{name: train_id for train_id, name in enumerate(classes)}, IGNORE: labels.IGNORED}
    label_map: dict[RawValue, int] = {}
    for key, name in value.items():
        if _is_byte(key):
            raw: RawValue = (key,) * 3 if encoding == "rgb" else key
        elif encoding == "ids":
            raise InvalidDataError(
                f"label_map: {key!r} is not a value; encoding ids stores 0 to 255", code="E-data-yaml"
            )
        else:
            try:
                raw = parse_color(key)
            except InvalidDataError as error:
                raise InvalidDataError(f"label_map: {error}", code=error.code) from error
        if name not in train_ids:
            near = _did_you_mean(name, train_ids)
            raise InvalidDataError(
                f"label_map: {key!r} becomes {name!r}, which is neither a class nor {IGNORE}{near}", code="E-data-yaml"
            )
        if raw in label_map:
            raise InvalidDataError(f"label_map: {key!r} is listed twice", code="E-data-yaml")
        label_map[raw] = train_ids[name]
    return label_map


def read_unlabelled(name: Any, classes: tuple[str, ...]) -> int:
    if name == IGNORE:
        raise InvalidDataError(
            "unlabelled: ignore: nothing can be learnt from images without labels; name a class, or leave it out",
            code="E-data-yaml",
        )
    if name not in classes:
        near = _did_you_mean(name, classes) or f"; expected one of {', '.join(classes)}"
        raise InvalidDataError(f"unlabelled: {name!r} is no class{near}", code="E-data-yaml")
    return classes.index(name)


def read_suffixes(key: str, value: Any) -> tuple[str, ...]:
    suffixes = [value] if isinstance(value, str) else value
    if not isinstance(suffixes, list) or not suffixes or not all(isinstance(s, str) for s in suffixes):
        raise InvalidDataError(f"{key}: {value!r}: expected such as .jpg, or [.jpg, .png]", code="E-data-yaml")
    for suffix in suffixes:
        if "." not in suffix:
            raise InvalidDataError(f"{key}: {suffix!r} has no dot; did you mean '.{suffix}'?", code="E-data-yaml")
    return tuple(suffixes)


def read_snap(value: Any, encoding: str) -> float:
    if encoding == "ids":
        raise InvalidDataError(
            "snap has no effect with encoding ids, which stores no colours; leave it out", code="E-data-yaml"
        )
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 442:
        raise InvalidDataError(
            f"snap: {value!r}: expected a distance between colours, above 0, up to 442", code="E-data-yaml"
        )
    return float(value)


def choose(content: dict, key: str, choices: tuple[str, ...]) -> str:
    value = content[key]
    if value not in choices:
        raise InvalidDataError(
            f"{key}: {value!r}; expected {', '.join(choices)}{_did_you_mean(value, choices)}", code="E-data-yaml"
        )
    return value


def check_keys(content: dict, known: Collection[str], what: str) -> None:
    for key in content:
        if key not in known:
            near = _did_you_mean(key, known)
            raise InvalidDataError(
                f"unknown {what} {key!r}{near or '; expected ' + ', '.join(known)}", code="E-data-yaml"
            )


def _did_you_mean(word: Any, known: Collection[str]) -> str:
    near = difflib.get_close_matches(str(word), known, 1, 0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def _is_byte(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 255
