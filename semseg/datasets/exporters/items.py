"""Find the masks to export and their images, and check that they fit together."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

from semseg.datasets.dataset_file import DatasetFile
from semseg.datasets.image_files import is_turned, measure_image
from semseg.datasets.pairs import Pair, find_pairs, name_files
from semseg.errors import InvalidDataError, MissingDataError
from semseg.system.folders import IMAGE_SUFFIXES, absolute_path

_UNWRITABLE = re.compile("[\x00-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Item:
    """An image and its mask.

    Attributes:
        name: of the image, relative to the folder of the images, with slashes and suffix.
        image_path, mask_path: the files; no mask: all pixels are `unlabelled` of the dataset.yaml.
        size: width, height.
        roi_path: its region of interest; pixels outside are not labelled.
    """

    name: str
    image_path: Path
    mask_path: Path | None
    size: tuple[int, int]
    roi_path: Path | None = None

    @property
    def stem(self) -> str:
        """The name without suffix."""
        return PurePosixPath(self.name).with_suffix("").as_posix()


def pair_folders(mask_dir: Path, images_dir: Path) -> tuple[list[Pair], int]:
    """Pair index PNGs and images of the same path below their folders, without the suffix.

    Returns:
        The pairs in the order of their names, and the number of images without a mask.

    Raises:
        FileNotFoundError: a folder is missing.
        ValueError: there is no mask, a mask has no image, or two files have the same name.
    """
    for folder, holds in ((mask_dir, "masks"), (images_dir, "images")):
        if not folder.is_dir():
            raise MissingDataError(f"no folder {folder} with {holds}", code="E-data-missing")
    masks, images = name_files(mask_dir, [".png"]), name_files(images_dir, IMAGE_SUFFIXES, excluded=mask_dir)
    if not masks:
        raise InvalidDataError(
            f"no .png in {mask_dir}; expected masks as `tools/infer.py` writes them to pred", code="E-data-pairs"
        )
    lone = [path for name, path in masks.items() if name not in images]
    if lone:
        raise InvalidDataError(
            f"{len(lone)} of {len(masks)} masks have no image of the same name in {images_dir}, first {lone[0]}; give "
            "the folder whose sub-folders are those of the masks",
            code="E-data-pairs",
        )
    return [Pair(images[name], masks[name]) for name in sorted(masks)], len(images) - len(masks)


def pair_split(rules: DatasetFile, split: str) -> tuple[list[Pair], Path]:
    """Return the pairs of a split of a dataset.yaml, and the folder that the names of the images are relative to.

    Raises:
        FileNotFoundError, ValueError: those of `find_pairs`.
    """
    pairs = list(find_pairs(rules, split).pairs)
    places = rules.splits[split]
    if places.images is not None:
        return pairs, rules.root / places.images
    return pairs, Path(os.path.commonpath([absolute_path(pair.image_path).parent for pair in pairs]))


def names_below(pairs: Sequence[Pair], images_dir: Path) -> list[str]:
    """Return the paths of the images relative to a folder, with slashes."""
    folder = absolute_path(images_dir)
    return [absolute_path(pair.image_path).relative_to(folder).as_posix() for pair in pairs]


def make_items(pairs: Sequence[Pair], names: Sequence[str], exif: str) -> list[Item]:
    """Measure images and masks.

    Args:
        pairs: images and masks.
        names: of the images, as in `Item`.
        exif: `ignore` if the masks belong to the images as stored; labelling tools turn images by EXIF.

    Raises:
        ValueError: files are unreadable, have different sizes, an image is listed twice, or two have the same name
            without suffix.
    """
    check_names(names, [pair.image_path for pair in pairs])
    items, faults = [], []
    for (image_path, mask_path, roi_path), name in zip(pairs, names, strict=True):
        try:
            stored, upright = measure_image(image_path)
            misfits = exif == "ignore" and is_turned(image_path)
            mask_size = upright if mask_path is None else measure_image(mask_path)[1]
        except FileNotFoundError as error:
            raise MissingDataError(f"no file {error.filename}", code="E-data-missing") from None
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            faults.append(f"{image_path} or its mask is not a readable image ({error})")
            continue
        if misfits or mask_size == stored != upright:
            faults.append(f"{image_path}: EXIF turns it, as labelling tools do, and not its mask; turn the file itself")
            continue
        if mask_size != upright:
            faults.append(f"{image_path} has {upright[0]}x{upright[1]} pixels, its mask {mask_size[0]}x{mask_size[1]}")
            continue
        items.append(Item(name, image_path, mask_path, upright, roi_path))
    if faults:
        raise InvalidDataError(
            f"{len(faults)} of {len(pairs)} images cannot be exported, first {faults[0]}", code="E-data-images"
        )
    return items


def check_names(names: Iterable[str], image_paths: Iterable[Path]) -> None:
    """Raise an error if the masks of two images would have the same name when they come back.

    Args:
        names: of the images, with suffix.
        image_paths: their files, in the same order.

    Raises:
        ValueError: an image is listed twice, two images differ only in their suffix or capitals, or a name has
            characters that XML and JSON cannot hold.
    """
    taken: dict[str, Path] = {}
    for name, image_path in zip(names, image_paths, strict=True):
        if _UNWRITABLE.search(name):
            raise InvalidDataError(
                f"the name {name!r} has a control character, or is not UTF-8; rename the file", code="E-data-images"
            )
        stem = str(PurePosixPath(name).with_suffix("")).casefold()
        if stem not in taken:
            taken[stem] = image_path
        elif taken[stem] == image_path:
            raise InvalidDataError(f"{image_path} is listed twice; keep one of its masks", code="E-data-duplicate")
        else:
            raise InvalidDataError(
                f"{taken[stem]} and {image_path} have the same name without suffix; rename one of them",
                code="E-data-duplicate",
            )
