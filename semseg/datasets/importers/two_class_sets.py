"""What the published sets of two classes share: truths that have to be decoded, and how much of them is the class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from semseg.datasets.importers.parsed import Annotated, Label, Parsed, Request
from semseg.errors import InvalidInputError
from semseg.system.wording import listing

if TYPE_CHECKING:
    from semseg.datasets.importers.planning import Plan
    from semseg.datasets.importers.writing import Written

_NUM_SHOWN = 4


class DecodedMask(NamedTuple):
    """A truth; `decode` returns its train ids: uint8, shape (height, width)."""

    path: Path
    decode: Callable[[Path], np.ndarray]

    def __str__(self) -> str:
        return str(self.path)

    def open(self) -> Image.Image:
        """Return the train ids as an image."""
        return Image.fromarray(self.decode(self.path))


def read_two_classes(request: Request, read: Callable[[Path], Parsed]) -> Parsed:
    """Read a set with one of the readers, such as `drive.read_drive`, unless it would be written into its own folder.

    Raises:
        FileNotFoundError: files are missing.
        ValueError: it would, or a file is wrong.
    """
    if request.out_dir.exists() and request.source.exists() and request.out_dir.samefile(request.source):
        raise InvalidInputError(
            f"`out_dir` {request.out_dir} is the folder that is imported; give another one", code="E-input-used"
        )
    return read(request.source)


def parsed_set(title: str, name: str, images: Sequence[Annotated], notes: Sequence[str]) -> Parsed:
    """Return a set of background and another class, whose masks store 0 and 1."""
    labels = (Label(0, "background", (0, 0, 0)), Label(1, name, (255, 255, 255)))
    return Parsed(
        tuple(images), encoding="ids", labels=labels, notes=tuple(notes), title=title, origin=title, describe=_describe
    )


def describe_left_out(paths: Sequence[Path]) -> list[str]:
    """Return a note about photographs without truth; empty if there are none."""
    if not paths:
        return []
    return [f"left out: {len(paths)} photographs without truth ({listing((p.name for p in paths), _NUM_SHOWN)})"]


def _describe(plan: Plan, written: Written | None) -> list[str]:
    lines = [f"{plan.dataset_path}: classes {plan.list_classes()}"]
    for split, num_images in plan.num_images.items():
        share = ""
        if written is not None:
            pixels = written.class_px[split][:2]
            share = f", {pixels[1] / max(1, pixels.sum()):.2%} {plan.classes.names[1]}"
        lines.append(f"{split}: {num_images} images{share}")
    if any(picture.roi_path for picture in plan.pictures):
        lines.append("only pixels inside the fields of view count; those outside are ignored (255)")
    return lines
