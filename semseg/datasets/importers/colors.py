"""Read coloured masks: a folder of pictures in which every class has its own colour."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from semseg.datasets.dataset_file import DatasetFile
from semseg.datasets.dataset_keys import Split
from semseg.datasets.importers.class_choice import labels_of
from semseg.datasets.importers.class_lists import Classes
from semseg.datasets.importers.layouts import annotate
from semseg.datasets.importers.parsed import Parsed, Request
from semseg.datasets.importers.stored_values import count_values
from semseg.datasets.pairs import find_pairs
from semseg.errors import InvalidInputError
from semseg.system.folders import TRAINING_SUFFIXES
from semseg.system.wording import listing

_NUM_SHOWN, _NUM_COLORS_SHOWN = 5, 8


def read_colors(request: Request, classes: Classes | None) -> Parsed:
    """Pair masks and images by their names without suffix.

    Args:
        request: with the folders of masks and images, and the ends of their names, by default .png and those of the
            usual formats.
        classes: with the colours of the masks.

    Returns:
        The pairs, and the masks that have no image as `missing`.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: no files with these suffixes, `images_dir` or the classes are not given, or masks are not images.
    """
    source = request.source
    if request.images_dir is None:
        raise InvalidInputError(
            f"no photographs for the masks in {source}; give their folder with `images_dir`", code="E-input-required"
        )
    pairing = find_pairs(
        DatasetFile(
            path=source,
            root=Path(),
            splits={"train": Split(images=request.images_dir, masks=source)},
            encoding="rgb",
            classes=(),
            palette=(),
            label_map={},
            image_suffix=request.image_suffix or TRAINING_SUFFIXES,
            mask_suffix=request.mask_suffix or (".png",),
        ),
        "train",
    )
    masks = {mask_path: image_path for image_path, mask_path, _ in pairing.pairs if mask_path is not None}
    if classes is None:
        shown = count_values((Image.open(path) for path in list(masks)[:_NUM_SHOWN]), "rgb")
        raise InvalidInputError(
            f"coloured masks need `classes`, a file with lines such as 'road #804080'; {source} holds"
            f" {listing((color for color, _ in shown), _NUM_COLORS_SHOWN)}",
            code="E-input-required",
        )
    images = (
        annotate(mask_path.relative_to(source).with_suffix("").as_posix(), image_path, mask_path)
        for mask_path, image_path in masks.items()
    )
    return Parsed(
        tuple(images),
        encoding="rgb",
        labels=labels_of(classes, "rgb"),
        origin=classes.origin,
        missing=tuple(f"that of {path}" for path in pairing.masks_without_image),
    )
