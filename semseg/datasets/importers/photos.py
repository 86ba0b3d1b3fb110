"""The photographs that annotations belong to: where they are, and whether they have the annotated size."""

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
    """An image file, and its size as stored and as turned upright by its EXIF orientation.

    `suffix` is that of the file; where the image is embedded in the annotation, `path` names that, and `suffix` follows
    from the format of the image.
    """

    annotated: Annotated
    path: Path
    stored: Size
    upright: Size
    suffix: str

    @property
    def is_embedded(self) -> bool:
        """Whether `path` is an annotation that holds the image."""
        return self.path == self.annotated.embedded_in


class Album(NamedTuple):
    """The photographs of a set.

    `exif` is `ignore` where annotations follow the stored orientation, None where nothing tells; the other
    lists name what is missing, or not of the annotated size, in the words of an error.
    """

    photos: list[Photo]
    exif: str | None
    missing: list[str]
    unfit: list[str]


def find_photos(images: Sequence[Annotated]) -> Album:
    """Look every photograph up and measure it; nothing is refused here but a contradiction.

    Raises:
        ValueError: some annotations follow the EXIF orientation and others do not.
    """
    photos, missing, unfit = [], [], []
    witness: dict[str, Path] = {}
    for annotated in images:
        path = next((path for path in annotated.image_paths if path.is_file()), annotated.embedded_in)
        if path is None:
            missing.append(str(annotated.image_paths[0]))
            continue
        try:
            if path == annotated.embedded_in:
                content = read_embedded_image(path)
                photo = Photo(annotated, path, *measure_image(io.BytesIO(content)), _suffix_of(content))
            else:
                photo = Photo(annotated, path, *measure_image(path), path.suffix)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            what = (
                "whose imageData is not an image" if path == annotated.embedded_in else "which is not a readable image"
            )
            unfit.append(f"{path}, {what}")
            continue
        if photo.stored != photo.upright and annotated.size in (photo.stored, photo.upright):
            witness.setdefault("ignore" if annotated.size == photo.stored else "apply", path)
        if annotated.size not in (None, photo.stored, photo.upright):
            found, expected = ("x".join(map(str, size)) for size in (photo.upright, annotated.size))
            unfit.append(f"{path}: {found}, annotated at {expected}")
            continue
        photos.append(photo)
    if len(witness) > 1:
        raise InvalidDataError(
            f"the annotation of {witness['apply']} follows its EXIF orientation, that of {witness['ignore']} "
            "does not; import them apart"
        )
    return Album(photos, next(iter(witness), None), missing, unfit)


def _suffix_of(content: bytes) -> str:
    """Return how the name of an image file ends that holds this content."""
    with Image.open(io.BytesIO(content)) as image:
        return ".jpg" if image.format in ("JPEG", "MPO") else f".{image.format.lower()}"
