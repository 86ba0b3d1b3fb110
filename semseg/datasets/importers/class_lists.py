"""Which classes an imported set has, and which class each label becomes."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from semseg.datasets.dataset_file import IGNORE, MAX_CLASSES, Color, hex_color, parse_color, read_dataset_file
from semseg.datasets.spelling import DIFFERENCE, list_names, spellings_of_one
from semseg.errors import InvalidDataError, MissingDataError
from semseg.labels import CITYSCAPES, IGNORED, distinct_colors
from semseg.system.path_lists import read_list_text

_IGNORED_NAMES = (IGNORE, "__ignore__")  # the second is labelme's

_BYTES = r"(\d{1,3})[ ,\t]+(\d{1,3})[ ,\t]+(\d{1,3})"
_LINES = (  # forms of a line in a text file: name and colour
    re.compile(r"(?P<name>[^:]+):(?P<color>\d+,\d+,\d+):.*"),  # CVAT's labelmap.txt
    re.compile(rf"(?P<color>{_BYTES})\s+(?P<name>.+)"),  # CamVid's label_colors.txt
    re.compile(rf"(?P<name>.+?)[ ,\t]+(?P<color>#[0-9a-fA-F]{{6}}|{_BYTES})"),
    re.compile(r"(?P<name>.+)"),
)


@dataclass(frozen=True)
class Classes:
    """Classes in the order of their train ids, each with a colour of its own.

    `origin` says where they come from; `ignored_colors` are those of entries named `ignore`.
    """

    names: tuple[str, ...]
    colors: tuple[Color, ...]
    origin: str
    ignored_colors: tuple[Color, ...] = ()

    def train_id(self, name: str) -> int | None:
        """Return the train id of a class, IGNORED for `ignore`, None for an unknown name."""
        if name in _IGNORED_NAMES:
            return IGNORED
        return self.names.index(name) if name in self.names else None


def read_classes(source: str) -> Classes:
    """Read a class list.

    Args:
        source: a file (YAML: a list of names or of {name, color}, or a dataset.yaml; text: a line per class,
            `name`, `name #rrggbb`, `name R G B`, CamVid's `R G B name`, or CVAT's labelmap.txt), or the
            word `cityscapes`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it holds no class list.
    """
    path = Path(source)
    if source == "cityscapes":
        return Classes(CITYSCAPES.classes, tuple(tuple(color) for color in CITYSCAPES.palette), source)
    if not path.is_file():
        raise MissingDataError(f"no file {path} with classes; give a YAML or text file, or cityscapes")
    if path.suffix.lower() not in (".yaml", ".yml", ".json"):
        rows = list(_parse_lines(path))
    else:
        try:
            content = yaml.safe_load(read_list_text(path))
        except yaml.YAMLError as error:
            raise InvalidDataError(f"{path} is not YAML: {error}".replace("\n", " ")) from None
        if isinstance(content, dict) and "splits" in content:
            file = read_dataset_file(path)
            return Classes(file.classes, file.palette, str(path))
        rows = list(_parse_yaml(path, content.get("classes") if isinstance(content, dict) else content))
    try:
        return _complete(rows, str(path))
    except ValueError as error:
        raise InvalidDataError(f"{path}: {error}") from None


def discover_classes(counts: Mapping[str, int], label_map: Mapping[str, str]) -> Classes:
    """Make the classes that labels become, sorted by name.

    Args:
        counts: label -> number of shapes with it.
        label_map: label -> class or `ignore`.

    Raises:
        ValueError: classes differ only in their spelling; the sentence says how to make them one.
    """
    names: Counter[str] = Counter()
    for label, count in counts.items():
        names[label_map.get(label, label)] += count
    if spellings := spellings_of_one(names):
        best = max(spellings, key=lambda name: (names[name], name == name.strip(), name))
        listed = list_names(spellings)
        counted = ", ".join(f"{names[name]}" for name in spellings)
        pairs = [
            _quote(f"{label}={best}") for label in counts if label_map.get(label, label) in set(spellings) - {best}
        ]
        raise InvalidDataError(
            f"the labels {listed} ({counted} shapes) {DIFFERENCE}, and one class would be learnt as {len(spellings)};"
            f" give --map {' '.join(pairs)}, or --classes with the right names"
        )
    if padded := sorted(name for name in names if name != name.strip()):
        raise InvalidDataError(
            f"the label {padded[0]!r} begins or ends with a space; give --map"
            f" {_quote(f'{padded[0]}={padded[0].strip()}')}"
        )
    return _complete([(name, None) for name in sorted(names)], "from the annotations, sorted by name")


def assign_train_ids(counts: Counter, classes: Classes, label_map: Mapping[str, str]) -> dict[str, int]:
    """Find the train id of every label.

    Args:
        counts: label -> number of shapes with it.
        classes: the classes that there are.
        label_map: label -> class or `ignore`, before a label is looked up itself.

    Raises:
        ValueError: labels without a class; the sentence has their counts and the nearest classes.
    """
    for label, name in label_map.items():
        if classes.train_id(name) is None:
            near = _nearest(name, classes)
            raise InvalidDataError(
                f"--map {label}={name}: no class {name!r} in {classes.origin}"
                + (f"; did you mean {near!r}?" if near else f"; expected a class or {IGNORE}")
            )
    train_ids = {label: classes.train_id(label_map.get(label, label)) for label in counts}
    unknown = sorted((label for label in counts if train_ids[label] is None), key=lambda x: (-counts[x], x))
    if unknown:
        listed = []
        for label in unknown[:5]:
            near = _nearest(label, classes)
            counted = f"{counts[label]} shape{'s' * (counts[label] != 1)}"
            listed.append(f"{label!r} ({counted}" + (f", nearest {near!r})" if near else ")"))
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        first, noun = unknown[0], "labels are" if len(unknown) > 1 else "label is"
        target = _nearest(first, classes) or IGNORE
        raise InvalidDataError(
            f"{len(unknown)} {noun} not in {classes.origin}: {', '.join(listed)}{more}; "
            f"add them there, or give such as --map {_quote(f'{first}={target}')}"
        )
    return train_ids


def parse_map(pairs: Iterable[str]) -> dict[str, str]:
    """Read `label=class` pairs; a colour as label is written in lower case.

    Raises:
        ValueError: a pair has no `=`, or a label stands there twice.
    """
    label_map: dict[str, str] = {}
    for pair in pairs:
        label, equals, name = pair.rpartition("=")
        if not (equals and label and name):
            raise InvalidDataError(f"--map expects label=class, or label={IGNORE}, got {pair!r}")
        label = label.lower() if re.fullmatch("#[0-9a-fA-F]{6}", label) else label
        if label in label_map:
            raise InvalidDataError(f"--map names {label!r} twice")
        label_map[label] = name
    return label_map


def _complete(rows: list[tuple[str, Color | None]], origin: str) -> Classes:
    """Drop what is ignored, and give a colour to every class."""
    ignored = tuple(color for name, color in rows if name in _IGNORED_NAMES and color)
    rows = [row for row in rows if row[0] not in _IGNORED_NAMES]
    if not rows:
        raise InvalidDataError("no class in it")
    if len(rows) > MAX_CLASSES:
        raise InvalidDataError(f"{len(rows)} classes; a mask of bytes has room for {MAX_CLASSES}")
    taken: dict[Color, str] = dict.fromkeys(ignored, IGNORE)
    names: list[str] = []
    for name, color in rows:
        if name in names:
            raise InvalidDataError(f"class {name!r} is listed twice")
        if color in taken:
            raise InvalidDataError(f"{taken[color]!r} and {name!r} have one colour, {hex_color(color)}")
        names.append(name)
        if color:
            taken[color] = name
    if spellings := spellings_of_one(names):
        raise InvalidDataError(f"classes {list_names(spellings)} {DIFFERENCE}; keep one of them")
    free = iter([color for color in distinct_colors(255) if color not in taken])
    colors = tuple(color or next(free) for _, color in rows)
    return Classes(tuple(names), colors, origin, ignored)


def _parse_yaml(path: Path, rows: Any) -> Iterable[tuple[str, Color | None]]:
    if not isinstance(rows, list):
        raise InvalidDataError(f"{path}: expected a list such as - {{name: road, color: [128, 64, 128]}}")
    for row in rows:
        row = row if isinstance(row, dict) else {"name": row}
        name, color = row.get("name"), row.get("color")
        if not isinstance(name, str) or not name:
            raise InvalidDataError(f"{path}: {name!r} is not a class name; expected a word, in quotes if need be")
        try:
            yield name, None if color is None else parse_color(color)
        except ValueError as error:
            raise InvalidDataError(f"{path}: class {name!r}: {error}") from None


def _parse_lines(path: Path) -> Iterable[tuple[str, Color | None]]:
    for line in read_list_text(path).splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        found = next(match for form in _LINES if (match := form.fullmatch(line))).groupdict()
        color = found.get("color")
        try:
            if color and not color.startswith("#"):
                color = [int(number) for number in re.findall(r"\d+", color)]
            yield found["name"].strip(), parse_color(color) if color else None
        except ValueError as error:
            raise InvalidDataError(f"{path}: {line!r}: {error}") from None


def _nearest(label: str, classes: Classes) -> str | None:
    folded = {name.casefold(): name for name in classes.names}
    near = difflib.get_close_matches(label.casefold(), folded, 1, 0.6)
    return folded[near[0]] if near else None


def _quote(text: str) -> str:
    return f"'{text}'" if re.search(r"[^\w=-]", text) else text
