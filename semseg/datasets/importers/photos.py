"""Find the photographs of annotations, and check that they have the annotated size."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from semseg.datasets.image_files import measure_image
from semseg.datasets.importers.labelme import read_embedded_image
from semseg.datasets.importers.shapes import Annotated, Size
from semseg.errors import InvalidDataError


class Photo(NamedTuple):
    """An image file, with its size as stored and when turned upright by its EXIF orientation.

    `suffix` is that of the file. If the image is embedded in the annotation, `path` is the annotation, and `suffix` is
    the usual one of the format of the image.
    """

    annotated: Annotated
    path: Path
    stored: Size
    upright: Size
    suffix: str

    @property
    def is_embedded(self) -> bool:
        """Whether `path` is an annotation file that holds the image."""
        return self.path == self.annotated.embedded_in

    def size(self, exif: str) -> Size:
        """Return width and height as training reads it, which turns it upright unless `exif` is `ignore`."""
        return self.stored if exif == "ignore" else self.upright


class Album(NamedTuple):
    """The photographs of a set.

    `exif` is `ignore` if the annotations follow the stored orientation, `apply` if they follow EXIF, and None if all
    images look the same in both. `missing` lists the paths of missing images, and `unfit` describes images that are
    unreadable or not of the annotated size.
    """

    photos: list[Photo]
    exif: str | None
    missing: list[str]
    unfit: list[str]


def find_photos(images: Sequence[Annotated]) -> Album:
    """Find every photograph and measure it; missing and unfit ones are listed, and are no error.

    Raises:
        ValueError: some annotations follow the EXIF orientation and others do not.
    """
    photos, missing, unfit = [], [], []
    example_of: dict[str, Path] = {}  # by `exif`: an image that shows it
    for annotated in images:
        path = next((path for path in annotated.image_paths if path.is_file()), annotated.embedded_in)
        if path is None:
            missing.append(str(annotated.image_paths[0]))
            continue
        try:
            if path == annotated.embedded_in:
                content = read_embedded_image(path)
                photo = Photo(annotated, path, *measure_image(io.BytesIO(content)), suffix_of(content))
            else:
                photo = Photo(annotated, path, *measure_image(path), path.suffix)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            reason = (
                "whose imageData is not an image" if path == annotated.embedded_in else "which is not a readable image"
            )
            unfit.append(f"{path}, {reason}")
            continue
        if photo.stored != photo.upright and annotated.size in (photo.stored, photo.upright):
            example_of.setdefault("ignore" if annotated.size == photo.stored else "apply", path)
        if annotated.size is not None and annotated.size not in (photo.stored, photo.upright):
            (width, height), (annotated_width, annotated_height) = photo.upright, annotated.size
            unfit.append(f"{path}: {width}x{height}, annotated at {annotated_width}x{annotated_height}")
            continue
        photos.append(photo)
    if len(example_of) > 1:
        raise InvalidDataError(
            f"the annotation of {example_of['apply']} follows its EXIF orientation, that of {example_of['ignore']} "
            "does not; import them separately",
            code="E-data-exif",
        )
    return Album(photos, next(iter(example_of), None), missing, unfit)


def suffix_of(content: bytes) -> str:
    """Return the suffix for an image file with this content."""
    with Image.open(io.BytesIO(content)) as image:
        return ".jpg" if image.format in ("JPEG", "MPO") else f".{image.format.lower()}"
