"""Checks before anything is written: missing images, shapes that cannot be drawn, files that would be overwritten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from semseg.datasets.importers.class_masks import PLACES
from semseg.datasets.importers.photos import Photo
from semseg.datasets.importers.shapes import Annotated
from semseg.datasets.importers.writing import Picture
from semseg.errors import InvalidDataError, InvalidInputError, MissingDataError


def vet_output(out_dir: Path, num_processes: int) -> None:
    """Check where and by how many processes an import is written.

    Raises:
        ValueError: `out_dir` is a file, or there are no processes.
    """
    if num_processes < 1:
        raise InvalidInputError(f"{num_processes} processes; expected 1 or more", code="E-input-range")
    if out_dir.exists() and not out_dir.is_dir():
        raise InvalidInputError(f"`out_dir` {out_dir} is a file; give a folder", code="E-input-value")


def vet_photos(
    num_images: int,
    missing: Sequence[str],
    unfit: Sequence[str],
    skip: bool,
    remedy: str = "give their folder with `images_dir`, or",
) -> list[str]:
    """Raise an error if images are missing, unreadable, or of another size than annotated.

    Args:
        num_images: number of annotated images.
        missing: paths of missing images.
        unfit: descriptions of the others.
        skip: return notes instead of raising an error.
        remedy: what the user can do instead of skipping them; the message goes on with `skip_broken`.

    Raises:
        FileNotFoundError: images are missing.
        ValueError: images are unreadable or of another size.
    """
    if missing and not skip:
        raise MissingDataError(
            f"{len(missing)} of {num_images} images are not there, first {missing[0]}; {remedy}"
            " `skip_broken` to leave them out",
            code="E-data-missing",
        )
    if unfit and not skip:
        raise InvalidDataError(
            f"{len(unfit)} of {num_images} images are not those that were annotated, first {unfit[0]};"
            f" {remedy} `skip_broken` to leave them out",
            code="E-data-images",
        )
    notes = [f"left out: {len(missing)} images that are not there, first {missing[0]}"] if missing else []
    if unfit:
        notes.append(f"left out: {len(unfit)} images that are not those that were annotated, first {unfit[0]}")
    return notes


def vet_places(images: Sequence[Annotated], lone_masks: Sequence[Path], skip: bool) -> list[str]:
    """Raise an error if the path of a mask of one class names no image.

    Args:
        images: all images, with their masks.
        lone_masks: masks that belong to no image.
        skip: return a note instead of raising an error.

    Raises:
        ValueError: there are such masks.
    """
    if not lone_masks:
        return []
    num_masks = len(lone_masks) + sum(len(image.shapes) for image in images)
    fault = f"{len(lone_masks)} of {num_masks} masks name no image and class, first {lone_masks[0]}"
    if not skip:
        raise InvalidDataError(
            f"{fault}; expected {PLACES}, IMAGE as in `images_dir`; `skip_broken` leaves them out", code="E-data-pairs"
        )
    return [f"left out: {fault}"]


def vet_shapes(photos: Sequence[Photo], exif: str, skip: bool) -> tuple[list[Photo], list[str]]:
    """Raise an error if shapes cannot be drawn.

    Args:
        photos: with their shapes.
        exif: `apply` or `ignore`, which decides the size of an image.
        skip: leave such shapes out and return a note, instead of raising an error.

    Raises:
        ValueError: there are such shapes; the message has their number, and the first one.
    """
    kept, broken, num_shapes = [], [], 0
    for photo in photos:
        size, shapes = photo.size(exif), []
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
            "correct them, or give `skip_broken` to leave them out",
            code="E-data-annotation",
        )
    return kept, [f"left out: {len(broken)} of {num_shapes} shapes that cannot be drawn, first {broken[0]}"]


def vet_targets(pictures: Sequence[Picture]) -> None:
    """Raise an error for two annotations of one image, two masks of one name, or masks that would replace a source.

    Raises:
        ValueError: one of these.
    """
    sources = {path.resolve() for p in pictures for path in (p.image_path, p.mask_path) if path}
    images: dict[Path, Picture] = {}
    targets: dict[Path, Picture] = {}
    for picture in pictures:
        first = images.setdefault(picture.image_path.resolve(), picture)
        if first is not picture:
            raise InvalidDataError(
                f"{picture.image_path} is annotated twice; remove one of the annotations", code="E-data-duplicate"
            )
        for target in filter(None, (picture.target_path, picture.copy_path)):
            first = targets.setdefault(target, picture)
            if first is not picture:
                raise InvalidDataError(
                    f"{first.image_path} and {picture.image_path} would both become {target}; rename one",
                    code="E-data-duplicate",
                )
            if target.resolve() in sources:
                raise InvalidInputError(
                    f"{target} is a source and would be replaced; give another `out_dir`", code="E-input-used"
                )
