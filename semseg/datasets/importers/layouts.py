"""Find images and masks in the folders of a published set, and say what is not there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from semseg.datasets.importers.parsed import Annotated
from semseg.datasets.pairs import name_files
from semseg.errors import InvalidDataError, MissingDataError
from semseg.system.wording import listing


def annotate(name: str, image_path: Path, mask_path: Path, split: str | None = None) -> Annotated:
    """Return an image with its mask, whose size is read.

    Raises:
        ValueError: the mask is not an image.
    """
    try:
        with Image.open(mask_path) as mask:
            size = mask.size
    except OSError:
        raise InvalidDataError(f"{mask_path} is not a readable image", code="E-data-unreadable") from None
    return Annotated(name, (image_path,), size, mask=mask_path, split=split)


def pair_folders(
    split: str,
    image_dir: Path,
    mask_dir: Path,
    image_suffix: Sequence[str],
    mask_suffix: Sequence[str],
    prefix: str = "",
) -> tuple[list[Annotated], list[Path]]:
    """Pair images and masks of two folders, or of one, by their names without suffix.

    Args:
        split: of the pairs.
        image_dir: folder of the images.
        mask_dir: folder of the masks.
        image_suffix: ends of image names.
        mask_suffix: ends of mask names.
        prefix: of the names of the pairs, for sets with several such folders.

    Returns:
        Images with masks, sorted by name, and the images without mask. An image that is missing has its expected path.

    Raises:
        ValueError: two files have the same name, or a mask is not an image.
    """
    mask_of = name_files(mask_dir, mask_suffix)
    masks = set(mask_of.values())
    if mask_dir == image_dir:
        image_suffix = [suffix for suffix in image_suffix if suffix not in mask_suffix]
    image_of = {
        name: path
        for name, path in (name_files(image_dir, image_suffix).items() if image_dir.is_dir() else ())
        if path not in masks
    }
    pairs = []
    for name, mask_path in sorted(mask_of.items()):
        image_path = image_of.get(name, image_dir / f"{name}{image_suffix[0]}")
        pairs.append(annotate(f"{prefix}{name}", image_path, mask_path, split))
    return pairs, [path for name, path in sorted(image_of.items()) if name not in mask_of]


def describe_lone_images(split: str, images: Sequence[Path], folder: Path) -> list[str]:
    """Return a note about images without masks, which are left out."""
    return [f"left out: {len(images)} images of {split} without masks in {folder}"] if images else []


def missing_layout(source: Path, title: str, expected: Iterable[str]) -> MissingDataError:
    """Return the error that a folder does not have the layout of a set."""
    if not source.exists():
        return MissingDataError(f"no folder {source} with {title}", code="E-data-missing")
    holds = "it is a file"
    if source.is_dir():
        holds = f"it holds {listing(sorted(path.name for path in source.iterdir()), 6) or 'nothing'}"
    return MissingDataError(
        f"{source} is not the folder of {title}: expected {' or '.join(expected)}; {holds}", code="E-data-missing"
    )
