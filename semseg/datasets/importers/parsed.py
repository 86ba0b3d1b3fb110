"""What is imported: the request of the user, and what the reader of a format finds in its source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from PIL import Image

from semseg.datasets.dataset_keys import Color, RawValue
from semseg.datasets.importers.shapes import Shape, Size

if TYPE_CHECKING:
    from semseg.datasets.importers.planning import Plan
    from semseg.datasets.importers.writing import Written

Key = RawValue | str
"""A stored value, a colour, or the label of a shape."""


@dataclass(frozen=True)
class Request:
    """What to import, from where, and where to write it; `tools/dataset.py import FORMAT --help` explains each.

    An option that a format does not have is ignored.
    """

    format: str  # one of `formats.FORMATS`
    source: Path
    out_dir: Path
    split: str = "train"
    images_dir: Path | None = None
    classes: str | None = None
    label_map: tuple[str, ...] = ()
    background: str | None = None
    order: str = "area"  # coco: area or file
    line_width_px: int | None = None
    mask_suffix: tuple[str, ...] = ()
    image_suffix: tuple[str, ...] = ()
    snap: float | None = None
    threshold: int | None = None  # class-masks: brightness from which a pixel belongs to the class
    num_classes: int = 11  # camvid: or 32
    by_drive: bool = False
    image_column: str | None = None  # huggingface
    label_column: str | None = None
    skip_broken: bool = False
    copy: bool = False
    overwrite: bool = False
    num_processes: int = 1


class Label(NamedTuple):
    """The class of a stored value, of a colour, or of the label of a shape; `name` is None if it is ignored."""

    key: Key
    name: str | None
    color: Color | None = None


class EmbeddedImage(Protocol):
    """An image file inside of another file, `path`; `str` says where, for messages."""

    @property
    def path(self) -> Path: ...

    def read(self) -> bytes:
        """Return the content of the image file."""


class StoredMask(Protocol):
    """A mask that is not a file of its own, or one that has to be decoded; `str` says where, for messages."""

    @property
    def path(self) -> Path: ...

    def open(self) -> Image.Image:
        """Return the mask, whose values or colours are those of the labels of its set."""


@dataclass(frozen=True)
class Annotated:
    """One image and its annotation: shapes in the order of painting, or a mask.

    Attributes:
        name: of the mask, a relative path with slashes.
        image_paths: the possible paths of the image, most probable first.
        size: the annotated one; None if the format does not have it.
        shapes: what was drawn.
        mask: instead of shapes.
        embedded: the image itself, which is used if none of `image_paths` exists.
        split: of a set with all its splits; None: the requested one.
        roi_path: region of interest.
    """

    name: str
    image_paths: tuple[Path, ...]
    size: Size | None
    shapes: tuple[Shape, ...] = ()
    mask: Path | StoredMask | None = None
    embedded: EmbeddedImage | None = None
    split: str | None = None
    roi_path: Path | None = None


@dataclass(frozen=True)
class Parsed:
    """What the reader of a format has found.

    Attributes:
        images: all of them, with their annotations.
        encoding: `shapes`, or that of the masks: `ids` or `rgb`.
        labels: the class of everything that a mask or shape may hold, in the order of the classes; None: the classes
            follow from the labels of the shapes.
        declared: the labels that the file lists, used or not, if there are no `labels`.
        left_out: number of shapes without an area, by kind.
        notes: what was left out, or is noteworthy.
        title: what the set is called in messages.
        origin: of classes that stay as they are: `label_map` can only give further values one of them. None: it also
            merges, renames and drops classes.
        headline: what was imported, for the user; None: the title, and where the masks are.
        order: in which shapes are painted, for the user; with `BY_CLASS`, they are sorted by their class.
        background: the label of pixels without a shape.
        is_readable_in_place: masks of ids are files that a dataset.yaml can describe where they are.
        missing: images that are not there, besides those that are found to be missing later.
        num_skipped: number of images that are left out already, which messages count, too.
        describe: returns lines about the import, if they are not the usual ones.
    """

    images: tuple[Annotated, ...]
    encoding: str = "shapes"
    labels: tuple[Label, ...] | None = None
    declared: tuple[str, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()
    title: str = ""
    origin: str | None = None
    headline: str | None = None
    order: str | None = None
    background: str | None = None
    is_readable_in_place: bool = False
    missing: tuple[str, ...] = ()
    num_skipped: int = 0
    describe: Callable[[Plan, Written | None], list[str]] | None = field(default=None, repr=False)


BY_CLASS = "in the order of the classes"
