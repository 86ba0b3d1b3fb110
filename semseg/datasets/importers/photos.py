"""Find the photographs of annotations, and check that they have the annotated size."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from semseg.datasets.image_files import measure_image
from semseg.datasets.importers.parsed import Annotated, EmbeddedImage
from semseg.datasets.importers.shapes import Size
from semseg.errors import InvalidDataError, MissingDataError


class Photo(NamedTuple):
    """An image file, with its size as stored and when turned upright by its EXIF orientation.

    `suffix` is that of the file. If the image is embedded in another file, `path` is that file, and `suffix` is the
    usual one of the format of the image.
    """

    annotated: Annotated
    path: Path
    embedded: EmbeddedImage | None
    stored: Size
    upright: Size
    suffix: str

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
        FileNotFoundError: a file that an annotation refers to instead of holding the image is missing.
        ValueError: some annotations follow the EXIF orientation and others do not.
    """
    photos, missing, unfit = [], [], []
    example_of: dict[str, object] = {}  # by `exif`: an image that shows it
    for annotated in images:
        place = next((path for path in annotated.image_paths if path.is_file()), annotated.embedded)
        if place is None:
            missing.append(str(annotated.image_paths[0]))
            continue
        try:
            if isinstance(place, Path):
                photo = Photo(annotated, place, None, *measure_image(place), place.suffix)
            else:
                content = place.read()
                photo = Photo(annotated, place.path, place, *measure_image(io.BytesIO(content)), _suffix_of(content))
        except MissingDataError:
            raise
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            unfit.append(f"{place}, which is not a readable image")
            continue
        if photo.stored != photo.upright and annotated.size in (photo.stored, photo.upright):
            example_of.setdefault("ignore" if annotated.size == photo.stored else "apply", place)
        if annotated.size is not None and annotated.size not in (photo.stored, photo.upright):
            (width, height), (annotated_width, annotated_height) = photo.upright, annotated.size
            if annotated.mask is None or isinstance(annotated.mask, Path):
                unfit.append(f"{place}: {width}x{height}, annotated at {annotated_width}x{annotated_height}")
            else:
                unfit.append(
                    f"{annotated.mask}: mask of {annotated_width}x{annotated_height}, its image {width}x{height}"
                )
            continue
        photos.append(photo)
    if len(example_of) > 1:
        raise InvalidDataError(
            f"the annotation of {example_of['apply']} follows its EXIF orientation, that of {example_of['ignore']} "
            "does not; import them separately",
            code="E-data-exif",
        )
    return Album(photos, next(iter(example_of), None), missing, unfit)


def _suffix_of(content: bytes) -> str:
    """Return the suffix for an image file with this content."""
    with Image.open(io.BytesIO(content)) as image:
        return ".jpg" if image.format in ("JPEG", "MPO") else f".{image.format.lower()}"
