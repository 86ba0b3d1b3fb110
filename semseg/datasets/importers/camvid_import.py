"""Import CamVid: all its splits at once, as index PNGs and a dataset.yaml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from semseg.datasets.dataset_file import DatasetFile
from semseg.datasets.dataset_keys import SPLITS, RawValue, parse_color
from semseg.datasets.importers import writing
from semseg.datasets.importers.camvid import Source, choose_classes, drive_of, read_source
from semseg.datasets.importers.camvid_classes import COLORS, VOID
from semseg.datasets.importers.class_lists import Classes, parse_map
from semseg.datasets.importers.colors import annotate, check_colors
from semseg.datasets.importers.photos import find_photos
from semseg.datasets.importers.vetting import vet_output, vet_photos, vet_targets
from semseg.errors import InvalidDataError, InvalidInputError
from semseg.labels import IGNORED
from semseg.system.worker_pool import run_all

_FORMAT = "camvid"


@dataclass(frozen=True)
class CamVidRequest:
    """What to import, and where to write it; `tools/dataset.py import camvid --help` explains each."""

    source: Path
    out_dir: Path
    num_classes: int = 11  # or 32
    by_drive: bool = False
    label_map: tuple[str, ...] = ()
    snap: float | None = None
    skip_broken: bool = False
    copy: bool = False
    overwrite: bool = False
    num_processes: int = 1


@dataclass(frozen=True)
class CamVidPlan:
    """A checked import.

    Attributes:
        pictures: the masks to write, by split.
        notes: what was left out or replaced, for the user.
        void_id: train id that Void becomes; 255: it is ignored.
    """

    request: CamVidRequest
    source: Source
    classes: Classes
    pictures: Mapping[str, tuple[writing.Picture, ...]]
    notes: tuple[str, ...]
    exif: str
    void_id: int
    brush: writing.Brush = field(repr=False)

    def write(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Write the masks, then the lists of pairs, then dataset.yaml."""
        out_dir = self.request.out_dir
        every = [picture for pictures in self.pictures.values() for picture in pictures]
        run_all(partial(writing.write_picture, self.brush), every, self.request.num_processes, on_progress)
        for split, pictures in self.pictures.items():
            writing.write_list(out_dir, split, pictures)
        origins = dict.fromkeys(self.pictures, _origin(self.request))
        writing.write_dataset_file(out_dir / "dataset.yaml", origins, self.classes, self.exif)

    def describe(self) -> list[str]:
        """Return lines of text about the import."""
        listed_classes = ", ".join(f"{train_id} {name}" for train_id, name in enumerate(self.classes.names))
        lines = [
            f"{self.request.out_dir / 'dataset.yaml'}: CamVid, layout {self.source.layout}",
            f"classes: {listed_classes}; {self._describe_void()}",
            f"divided {self.source.divided_by}",
        ]
        for split, pictures in self.pictures.items():
            drives = Counter(drive_of(picture.target_path.stem) for picture in pictures)
            lines.append(
                f"{split}: {len(pictures)} images ({', '.join(f'{k} {n}' for k, n in sorted(drives.items()))})"
            )
        return lines + list(self.notes)

    def _describe_void(self) -> str:
        """Say what becomes of Void, which the user can map to a class."""
        train_id = self.void_id
        return f"{VOID} is {'ignored' if train_id == IGNORED else self.classes.names[train_id]} ({train_id})"


def plan_camvid(request: CamVidRequest) -> CamVidPlan:
    """Read CamVid and check all pictures and masks; nothing is written.

    Raises:
        FileNotFoundError: the source or pictures are missing.
        ValueError: something cannot be imported, such as a colour that is not in the list; or the output folder holds
            another data set.
    """
    vet_output(request.out_dir, request.num_processes)
    writing.vet_origin(request.out_dir, _origin(request), request.overwrite)
    source = read_source(request.source, request.by_drive)
    classes, train_ids = choose_classes(source, request.num_classes)
    rules = _rules(request, source, classes, train_ids)
    frames = [frame for frame in source.frames if frame.split is not None]
    album = find_photos([annotate(frame.name, frame.image_path, frame.mask_path) for frame in frames])
    notes = [
        *source.notes,
        *vet_photos(len(frames), album.missing, album.unfit, request.skip_broken, "replace them, or give"),
    ]
    exif = album.exif or "apply"
    split_of = {frame.name: frame.split for frame in frames}
    pictures: dict[str, tuple[writing.Picture, ...]] = {}
    for split in SPLITS:
        photos = [photo for photo in album.photos if split_of[photo.annotated.name] == split]
        if photos:
            pictures[split] = writing.plan_pictures(photos, request.out_dir, split, exif, request.copy)
    if "train" not in pictures:
        raise InvalidDataError(
            f"{request.source}: no picture for train (divided {source.divided_by}); add its pictures, or lists",
            code="E-data-empty",
        )
    every = [picture for of_split in pictures.values() for picture in of_split]
    vet_targets(every)
    notes += check_colors(every, rules, classes.origin, request.num_processes)
    brush = writing.make_brush(classes, {}, 0, rules)
    void: RawValue = source.names.index(VOID) if source.encoding == "ids" else COLORS[VOID]
    return CamVidPlan(request, source, classes, pictures, tuple(notes), exif, rules.label_map[void], brush)


def _origin(request: CamVidRequest) -> writing.Origin:
    return writing.Origin.of(_FORMAT, request.source, request.out_dir)


def _rules(request: CamVidRequest, source: Source, classes: Classes, train_ids: dict[RawValue, int]) -> DatasetFile:
    """Return the rules for `masks.decode_mask`, with the values that the user maps."""
    if request.snap is not None and source.encoding == "ids":
        raise InvalidInputError(
            f"`snap` is for coloured masks; those of the layout {source.layout} hold ids", code="E-input-value"
        )
    label_map = dict(train_ids)
    for key, name in parse_map(request.label_map).items():
        train_id = classes.train_id(name)
        try:
            value = _stored_id(key) if source.encoding == "ids" else parse_color(key)
        except ValueError:
            kind, example = ("stored ids from 0 to 255", "12") if source.encoding == "ids" else ("colours", "#ff0000")
            raise InvalidInputError(
                f"`label_map` {key}={name}: the labels of these masks are {kind}, such as '{example}={name}'",
                code="E-input-value",
            ) from None
        if train_id is None:
            raise InvalidInputError(
                f"`label_map` {key}={name}: no class {name!r}; expected ignore or one of {', '.join(classes.names)}",
                code="E-input-value",
            )
        label_map[value] = train_id
    return DatasetFile(
        path=request.source,
        root=Path(),
        splits={},
        encoding=source.encoding,
        classes=classes.names,
        palette=classes.colors,
        label_map=label_map,
        snap=request.snap,
    )


def _stored_id(text: str) -> RawValue:
    """Read a value that a mask of bytes can hold.

    Raises:
        ValueError: it is none.
    """
    (value,) = bytes([int(text)])
    return value
