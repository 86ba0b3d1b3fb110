"""Checks before anything is written: missing images, shapes that cannot be drawn, files that would be overwritten."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from semseg.datasets.dataset_keys import SPLITS
from semseg.datasets.importers.parsed import Request, StoredMask
from semseg.datasets.importers.photos import Photo
from semseg.datasets.importers.writing import Picture
from semseg.errors import InvalidDataError, InvalidInputError, MissingDataError


def vet_request(request: Request, formats: Iterable[str]) -> None:
    """Check the options of an import that all formats share.

    Raises:
        FileNotFoundError: there is no folder `images_dir`.
        ValueError: the format or split is unknown, `out_dir` is a file, or there are no processes.
    """
    for option, value, known in (("format", request.format, formats), ("split", request.split, SPLITS)):
        if value not in known:
            raise InvalidInputError(f"`{option}`: expected {', '.join(known)}, got {value!r}", code="E-input-value")
    if request.num_processes < 1:
        raise InvalidInputError(f"{request.num_processes} processes; expected 1 or more", code="E-input-range")
    if request.out_dir.exists() and not request.out_dir.is_dir():
        raise InvalidInputError(f"`out_dir` {request.out_dir} is a file; give a folder", code="E-input-value")
    if request.images_dir is not None and not request.images_dir.is_dir():
        raise MissingDataError(
            f"no folder {request.images_dir} with images; give another `images_dir`", code="E-data-missing"
        )


def vet_photos(
    num_images: int, missing: Sequence[str], unfit: Sequence[str], skip: bool, has_images_dir: bool
) -> list[str]:
    """Raise an error if images are missing, unreadable, or of another size than annotated.

    Args:
        num_images: number of annotated images.
        missing: paths of missing images.
        unfit: descriptions of the others.
        skip: return notes instead of raising an error.
        has_images_dir: `images_dir` is an option of the format.

    Raises:
        FileNotFoundError: images are missing.
        ValueError: images are unreadable or of another size.
    """
    remedy = "give their folder with `images_dir`, or" if has_images_dir else "replace them, or give"
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
    """Raise an error for an image with two annotations or in two splits, two masks of one name, or replaced sources.

    Raises:
        ValueError: one of these.
    """
    sources = {path.resolve() for p in pictures for path in (p.image_path, _path_of(p.mask), p.roi_path) if path}
    images: dict[object, Picture] = {}
    targets: dict[Path, Picture] = {}
    for picture in pictures:
        first = images.setdefault(picture.embedded or picture.image_path.resolve(), picture)
        if first.split != picture.split:
            raise InvalidDataError(
                f"{picture.image_path} is in {first.split} and in {picture.split}; keep it in one of them",
                code="E-data-duplicate",
            )
        if first is not picture:
            raise InvalidDataError(
                f"{picture.image_path} is annotated twice; remove one of the annotations", code="E-data-duplicate"
            )
        for target in filter(None, (picture.target_path, picture.copy_path, picture.roi_target_path)):
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


def _path_of(mask: Path | StoredMask | None) -> Path | None:
    return mask if mask is None or isinstance(mask, Path) else mask.path
