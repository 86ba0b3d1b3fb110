"""Find the classes of an imported set, and the class of each label."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.dataset_keys import IGNORE, MAX_CLASSES, Color, hex_color, parse_color
from semseg.datasets.spelling import DIFFERENCE, list_names, spellings_of_one
from semseg.errors import InvalidDataError, InvalidInputError, MissingDataError
from semseg.labels import CITYSCAPES, IGNORED, distinct_colors
from semseg.system.path_lists import read_list_text
from semseg.system.wording import listing

_IGNORED_NAMES = (IGNORE, "__ignore__")  # the second one is used by labelme

_BYTES = r"(\d{1,3})[ ,\t]+(\d{1,3})[ ,\t]+(\d{1,3})"
_LINES = (  # formats of a line of a text file: name and colour
    re.compile(r"(?P<name>[^:]+):(?P<color>\d+,\d+,\d+):.*"),  # CVAT's labelmap.txt
    re.compile(rf"(?P<color>{_BYTES})\s+(?P<name>.+)"),  # CamVid's label_colors.txt
    re.compile(rf"(?P<name>.+?)[ ,\t]+(?P<color>#[0-9a-fA-F]{{6}}|{_BYTES})"),
    re.compile(r"(?P<name>.+)"),
)


@dataclass(frozen=True)
class Classes:
    """Classes in the order of their train ids, each with a different colour.

    `origin` names their source, for messages; `ignored_colors` are the colours of entries named `ignore`.
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
        source: a file (YAML: a list of names or of {name, color}, or a dataset.yaml; text: one line per class,
            `name`, `name #rrggbb`, `name R G B`, CamVid's `R G B name`, or CVAT's labelmap.txt), or the
            word `cityscapes`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it does not hold a class list.
    """
    path = Path(source)
    if source == "cityscapes":
        return Classes(CITYSCAPES.classes, tuple(label.color for label in CITYSCAPES.evaluated), source)
    if not path.is_file():
        raise MissingDataError(
            f"no file {path} with classes; give a YAML or text file, or cityscapes", code="E-data-missing"
        )
    if path.suffix.lower() not in (".yaml", ".yml", ".json"):
        rows = list(_parse_lines(path))
    else:
        try:
            content = yaml.safe_load(read_list_text(path))
        except yaml.YAMLError as error:
            raise InvalidDataError(f"{path} is not YAML: {error}".replace("\n", " "), code="E-data-classes") from None
        if isinstance(content, dict) and "splits" in content:
            file = read_dataset_file(path)
            return Classes(file.classes, file.palette, str(path))
        rows = list(_parse_yaml(path, content.get("classes") if isinstance(content, dict) else content))
    try:
        return complete_classes(rows, str(path))
    except InvalidDataError as error:
        raise InvalidDataError(f"{path}: {error}", code=error.code) from None


def discover_classes(counts: Mapping[str, int], label_map: Mapping[str, str]) -> Classes:
    """Return the classes that the labels become, sorted by name.

    Args:
        counts: label -> number of shapes with it.
        label_map: label -> class or `ignore`.

    Raises:
        ValueError: classes differ only in their spelling; the message says how to merge them.
    """
    names: Counter[str] = Counter()
    for label, count in counts.items():
        names[label_map.get(label, label)] += count
    if spellings := spellings_of_one(names):
        most_used = max(spellings, key=lambda name: (names[name], name == name.strip(), name))
        counted = ", ".join(f"{names[name]}" for name in spellings)
        pairs = [
            _quote(f"{label}={most_used}")
            for label in counts
            if label_map.get(label, label) in set(spellings) - {most_used}
        ]
        raise InvalidDataError(
            f"the labels {list_names(spellings)} ({counted} shapes) {DIFFERENCE}, so one class would be learnt as"
            f" {len(spellings)}; give `label_map` {' '.join(pairs)}, or `classes` with the right names",
            code="E-data-labels",
        )
    if padded := sorted(name for name in names if name != name.strip()):
        raise InvalidDataError(
            f"the label {padded[0]!r} begins or ends with a space; give `label_map`"
            f" {_quote(f'{padded[0]}={padded[0].strip()}')}",
            code="E-data-labels",
        )
    return complete_classes([(name, None) for name in sorted(names)], "from the annotations, sorted by name")


def assign_train_ids(counts: Counter, classes: Classes, label_map: Mapping[str, str]) -> dict[str, int]:
    """Return the train id of every label.

    Args:
        counts: label -> number of shapes with it.
        classes: the classes of the set.
        label_map: label -> class or `ignore`; used before a label is looked up in `classes`.

    Raises:
        ValueError: labels have no class; the message has their counts and the nearest classes.
    """
    vet_map(label_map, classes)
    train_ids: dict[str, int] = {}
    unknown = []
    for label in counts:
        train_id = classes.train_id(label_map.get(label, label))
        if train_id is None:
            unknown.append(label)
        else:
            train_ids[label] = train_id
    if unknown:
        unknown.sort(key=lambda label: (-counts[label], label))
        described = []
        for label in unknown:
            near = _nearest(label, classes)
            counted = f"{counts[label]} shape{'s' * (counts[label] != 1)}"
            described.append(f"{label!r} ({counted}" + (f", nearest {near!r})" if near else ")"))
        first, noun = unknown[0], "labels are" if len(unknown) > 1 else "label is"
        target = _nearest(first, classes) or IGNORE
        raise InvalidDataError(
            f"{len(unknown)} {noun} not in {classes.origin}: {listing(described, 5)}; "
            f"add them there, or give for example `label_map` {_quote(f'{first}={target}')}",
            code="E-data-labels",
        )
    return train_ids


def vet_map(label_map: Mapping[str, str], classes: Classes) -> None:
    """Raise an error if a map names a class that does not exist.

    Raises:
        ValueError: it does.
    """
    for label, name in label_map.items():
        if classes.train_id(name) is None:
            near = _nearest(name, classes)
            raise InvalidInputError(
                f"`label_map` {label}={name}: no class {name!r} in {classes.origin}"
                + (f"; did you mean {near!r}?" if near else f"; expected a class or {IGNORE}"),
                code="E-input-value",
            )


def parse_map(pairs: Iterable[str]) -> dict[str, str]:
    """Read `label=class` pairs; a colour as a label is converted to lower case.

    Raises:
        ValueError: a pair has no `=`, or a label is given twice.
    """
    label_map: dict[str, str] = {}
    for pair in pairs:
        label, equals, name = pair.rpartition("=")
        if not (equals and label and name):
            raise InvalidInputError(
                f"`label_map`: expected label=class, or label={IGNORE}, got {pair!r}", code="E-input-value"
            )
        label = label.lower() if re.fullmatch("#[0-9a-fA-F]{6}", label) else label
        if label in label_map:
            raise InvalidInputError(f"`label_map` has {label!r} twice", code="E-input-value")
        label_map[label] = IGNORE if name in _IGNORED_NAMES else name
    return label_map


def complete_classes(rows: list[tuple[str, Color | None]], origin: str) -> Classes:
    """Return the classes of rows of name and colour: without ignored entries, and with a colour for every class.

    Raises:
        ValueError: there is no class or too many, or two have the same name, colour or spelling.
    """
    ignored = tuple(color for name, color in rows if name in _IGNORED_NAMES and color)
    rows = [row for row in rows if row[0] not in _IGNORED_NAMES]
    if not rows:
        raise InvalidDataError("it lists no class", code="E-data-classes")
    if len(rows) > MAX_CLASSES:
        raise InvalidDataError(
            f"{len(rows)} classes; a mask of bytes has room for {MAX_CLASSES}", code="E-data-classes"
        )
    name_of: dict[Color, str] = dict.fromkeys(ignored, IGNORE)
    names: list[str] = []
    for name, color in rows:
        if name in names:
            raise InvalidDataError(f"class {name!r} is listed twice", code="E-data-classes")
        if color in name_of:
            raise InvalidDataError(
                f"{name_of[color]!r} and {name!r} have the same colour, {hex_color(color)}", code="E-data-classes"
            )
        names.append(name)
        if color:
            name_of[color] = name
    if spellings := spellings_of_one(names):
        raise InvalidDataError(f"classes {list_names(spellings)} {DIFFERENCE}; keep one of them", code="E-data-classes")
    unused = iter([color for color in distinct_colors(255) if color not in name_of])
    colors = tuple(color or next(unused) for _, color in rows)
    return Classes(tuple(names), colors, origin, ignored)


def _parse_yaml(path: Path, rows: Any) -> Iterable[tuple[str, Color | None]]:
    if not isinstance(rows, list):
        raise InvalidDataError(
            f"{path}: expected a list such as - {{name: road, color: [128, 64, 128]}}", code="E-data-classes"
        )
    for row in rows:
        row = row if isinstance(row, dict) else {"name": row}
        name, color = row.get("name"), row.get("color")
        if not isinstance(name, str) or not name:
            raise InvalidDataError(
                f"{path}: {name!r} is not a class name; expected a word, in quotes if need be", code="E-data-classes"
            )
        try:
            yield name, None if color is None else parse_color(color)
        except InvalidDataError as error:
            raise InvalidDataError(f"{path}: class {name!r}: {error}", code=error.code) from None


def _parse_lines(path: Path) -> Iterable[tuple[str, Color | None]]:
    for line in read_list_text(path).splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        fields = next(match for form in _LINES if (match := form.fullmatch(line))).groupdict()
        color = fields.get("color")
        try:
            if color and not color.startswith("#"):
                color = [int(number) for number in re.findall(r"\d+", color)]
            yield fields["name"].strip(), parse_color(color) if color else None
        except InvalidDataError as error:
            raise InvalidDataError(f"{path}: {line!r}: {error}", code=error.code) from None


def _nearest(label: str, classes: Classes) -> str | None:
    folded = {name.casefold(): name for name in classes.names}
    near = difflib.get_close_matches(label.casefold(), folded, 1, 0.6)
    return folded[near[0]] if near else None


def _quote(text: str) -> str:
    return f"'{text}'" if re.search(r"[^\w=-]", text) else text
