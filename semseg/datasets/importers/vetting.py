"""What is refused before anything is written: absent images, undrawable shapes, files in the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from semseg.datasets.importers.class_masks import PLACES
from semseg.datasets.importers.photos import Photo
from semseg.datasets.importers.shapes import Annotated, Size
from semseg.datasets.importers.writing import Picture
from semseg.errors import InvalidDataError, MissingDataError


def vet_photos(num_images: int, missing: Sequence[str], unfit: Sequence[str], skip: bool) -> list[str]:
    """Refuse a set with images that are absent or of another size than annotated.

    Args:
        num_images: how many are annotated.
        missing: the absent ones.
        unfit: what is wrong with others.
        skip: return notes instead of an error.

    Raises:
        FileNotFoundError: images are missing.
        ValueError: images do not fit.
    """
    if missing and not skip:
        raise MissingDataError(
            f"{len(missing)} of {num_images} images are not there, first {missing[0]}; "
            "give their folder with --images, or --skip-broken to leave them out"
        )
    if unfit and not skip:
        raise InvalidDataError(
            f"{len(unfit)} of {num_images} images are not those that were annotated, first {unfit[0]}; "
            "give their folder with --images, or --skip-broken to leave them out"
        )
    notes = [f"left out: {len(missing)} images that are not there, first {missing[0]}"] if missing else []
    if unfit:
        notes.append(f"left out: {len(unfit)} images that are not those that were annotated, first {unfit[0]}")
    return notes


def vet_places(images: Sequence[Annotated], lone_masks: Sequence[Path], skip: bool) -> list[str]:
    """Refuse masks of one class whose place names no image.

    Args:
        images: all of them, with their masks.
        lone_masks: that belong to none.
        skip: return a note instead of an error.

    Raises:
        ValueError: there are some.
    """
    if not lone_masks:
        return []
    num_masks = len(lone_masks) + sum(len(image.shapes) for image in images)
    what = f"{len(lone_masks)} of {num_masks} masks name no image and class, first {lone_masks[0]}"
    if not skip:
        raise InvalidDataError(f"{what}; expected {PLACES}, IMAGE as in --images; --skip-broken leaves them out")
    return [f"left out: {what}"]


def vet_shapes(photos: Sequence[Photo], exif: str, skip: bool) -> tuple[list[Photo], list[str]]:
    """Refuse shapes that cannot be drawn.

    Args:
        photos: with their shapes.
        exif: `apply` or `ignore`, which decides the size of an image.
        skip: leave such shapes out, and return a note, instead of an error.

    Raises:
        ValueError: there are some; with their number, and the first one.
    """
    kept, broken, num_shapes = [], [], 0
    for photo in photos:
        size, shapes = photo_size(photo, exif), []
        for shape in photo.annotated.shapes:
            num_shapes += 1
            problem = shape.problem(size)
            if problem:
                broken.append(f"in {photo.annotated.name} a {shape.label!r}: {problem}")
            else:
                shapes.append(shape)
        kept.append(photo._replace(annotated=replace(photo.annotated, shapes=tuple(shapes))))
    if not broken:
        return kept, []
    if not skip:
        raise InvalidDataError(
            f"{len(broken)} of {num_shapes} shapes cannot be drawn, first {broken[0]}; "
            "mend them, or give --skip-broken to leave them out"
        )
    return kept, [f"left out: {len(broken)} of {num_shapes} shapes that cannot be drawn, first {broken[0]}"]


def vet_targets(pictures: Sequence[Picture]) -> None:
    """Refuse two annotations of one image, two masks of one name, and masks that would replace a source.

    Raises:
        ValueError: there are some.
    """
    sources = {path.resolve() for p in pictures for path in (p.image_path, p.mask_path) if path}
    images: dict[Path, Picture] = {}
    targets: dict[Path, Picture] = {}
    for picture in pictures:
        other = images.setdefault(picture.image_path.resolve(), picture)
        if other is not picture:
            raise InvalidDataError(f"{picture.image_path} is annotated twice; remove one of the annotations")
        for target in filter(None, (picture.target_path, picture.copy_path)):
            other = targets.setdefault(target, picture)
            if other is not picture:
                raise InvalidDataError(
                    f"{other.image_path} and {picture.image_path} would both become {target}; rename one"
                )
            if target.resolve() in sources:
                raise InvalidDataError(f"{target} is a source and would be replaced; give another --out")


def photo_size(photo: Photo, exif: str) -> Size:
    """Return width and height of an image as training sees it."""
    return photo.stored if exif == "ignore" else photo.upright
