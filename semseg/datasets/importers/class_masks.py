"""Read masks that hold one class each: an image has several of them, one per class.

The path of a mask names its image and class in one of three ways: `CLASS/IMAGE.png`, `IMAGE_CLASS.png` or
`IMAGE/CLASS.png`. The way that fits most of the files is used. If there is only one class, its masks may also lie
directly in the source, named as their images; the class then has the name of the folder. A pixel belongs to the class
if it is not black in the mask. The masks of an image are painted in the order of the classes, so that the later class
wins where masks overlap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from semseg.datasets.dataset_keys import IGNORE
from semseg.datasets.image_files import measure_image, read_mask
from semseg.datasets.importers.parsed import BY_CLASS, Annotated, Parsed, Request
from semseg.datasets.importers.shapes import Size
from semseg.datasets.pairs import name_files
from semseg.errors import InvalidDataError, InvalidInputError, MissingDataError
from semseg.labels import IGNORED
from semseg.system.folders import TRAINING_SUFFIXES
from semseg.system.wording import listing

_PLACES = "CLASS/IMAGE.png, IMAGE_CLASS.png or IMAGE/CLASS.png"
_SEPARATORS = "_-. "


@dataclass(frozen=True)
class Layer:
    """A mask of one class in a file of its own.

    `threshold` is the brightness (0 to 255, of the brightest channel) from which a pixel belongs to the class; None:
    the mask has black and one other value.
    """

    label: str
    path: Path
    threshold: int | None = None

    def problem(self, size: Size) -> str | None:
        try:
            image = read_mask(self.path)
        except (FileNotFoundError, ValueError) as error:
            return str(error)
        if image.size != size:
            (mask_width, mask_height), (width, height) = image.size, size
            return f"mask of {mask_width}x{mask_height}, its image {width}x{height} ({self.path})"
        if image.mode == "F":
            return f"mask of floating-point numbers ({self.path}); save it with 8 bits"
        if (image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info) and (
            np.asarray(image.convert("RGBA"))[..., 3].min() < 255
        ):
            return f"mask with transparent pixels ({self.path}); save it opaque"
        values = _values(image)
        if self.threshold is None and (values is None or (len(values) == 2 and 0 not in values)):
            described = (
                "more than 2 values" if values is None else f"values {' and '.join(map(_format_value, sorted(values)))}"
            )
            return (
                f"mask of {described} ({self.path}); a mask of one class has black and one other value: give"
                " `threshold`, for example 128, or import masks of several classes with import colors"
            )
        return None

    def sticks_out(self, size: Size) -> bool:
        return False

    def mask(self, size: Size) -> np.ndarray:
        image = read_mask(self.path)
        pixels = np.asarray(image if image.mode[0] == "I" or image.mode in ("1", "L") else image.convert("RGB"))
        brightness = pixels.max(axis=2) if pixels.ndim == 3 else pixels
        return brightness > 0 if self.threshold is None else brightness >= self.threshold


def read_class_masks(request: Request) -> Parsed:
    """List the images, each with its masks.

    Args:
        request: with the folders of masks and images, the ends of their names, by default .png and those of the usual
            formats, and the `threshold` of `Layer`.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: no files with these suffixes, `images_dir` is not given, `threshold` is out of range, or the paths
            of masks name no image.
    """
    source, images_dir, threshold = request.source, request.images_dir, request.threshold
    if threshold is not None and not 1 <= threshold <= 255:
        raise InvalidInputError(f"`threshold` {threshold}: expected a brightness, 1 to 255", code="E-input-range")
    if images_dir is None:
        raise InvalidInputError(
            f"no photographs for the masks in {source}; give their folder with `images_dir`", code="E-input-required"
        )
    if not source.is_dir():
        raise MissingDataError(f"no folder {source} with masks", code="E-data-missing")
    mask_suffix, image_suffix = request.mask_suffix or (".png",), request.image_suffix
    is_same = source.samefile(images_dir)
    if is_same and not image_suffix:
        image_suffix = tuple(suffix for suffix in TRAINING_SUFFIXES if suffix not in mask_suffix)
    image_of = name_files(images_dir, image_suffix or TRAINING_SUFFIXES, None if is_same else source)
    mask_of = name_files(source, mask_suffix, None if is_same else images_dir)
    for kind, folder, files in (("image", images_dir, image_of), ("mask", source, mask_of)):
        if not files:
            raise InvalidDataError(f"no {kind} in {folder}; give its folder, or `{kind}_suffix`", code="E-data-pairs")
    ways = (_by_folder, _by_suffix, _by_image_folder, partial(_by_name, source.resolve().name))
    placed = max((dict(way(mask_of, image_of)) for way in ways), key=len)
    notes = []
    if lone := [path for name, path in mask_of.items() if name not in placed]:
        fault = f"{len(lone)} of {len(mask_of)} masks name no image and class, first {lone[0]}"
        if not request.skip_broken:
            raise InvalidDataError(
                f"{fault}; expected {_PLACES}, IMAGE as in `images_dir`; `skip_broken` leaves them out",
                code="E-data-pairs",
            )
        notes.append(f"left out: {fault}")
    layers: dict[str, list[Layer]] = {name: [] for name in image_of}
    for name, (image_name, label) in placed.items():
        layers[image_name].append(Layer(label, mask_of[name], threshold))
    images = tuple(
        Annotated(name, (path,), _size(layers[name]), tuple(layers[name])) for name, path in sorted(image_of.items())
    )
    # with one class only, the background is the second one, and has no masks
    declared = (request.background,) if request.background else ()
    return Parsed(images, declared=declared, notes=tuple(notes), order=BY_CLASS)


def describe_overlaps(covered: Counter[tuple[int, int]], num_px: int, classes: Sequence[str]) -> str:
    """Describe how many pixels are in masks of several classes, and which classes won.

    Args:
        covered: pixels by (train id below, train id above).
        num_px: of all images.
        classes: names, in the order of their train ids.
    """
    if not covered:
        return "no masks of one image overlap"
    names = {**dict(enumerate(classes)), IGNORED: IGNORE}
    rows = [f"{names[over]} over {names[under]} {px} px" for (under, over), px in covered.most_common()]
    total = sum(covered.values())
    return (
        f"overlaps: {total} px ({total / num_px:.1%}), where the later class wins: {listing(rows)}; `classes`"
        " changes the order"
    )


def _by_folder(names: Collection[str], image_of: Mapping[str, Path]) -> Iterator[tuple[str, tuple[str, str]]]:
    for name in names:
        label, _, image_name = name.partition("/")
        if image_name in image_of:
            yield name, (image_name, label)


def _by_suffix(names: Collection[str], image_of: Mapping[str, Path]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Use the longest image name that the name of the mask starts with."""
    for name in names:
        ends = [position for position, character in enumerate(name) if character in _SEPARATORS]
        end = next((end for end in reversed(ends) if name[:end] in image_of), None)
        if end is not None and (label := name[end:].strip(_SEPARATORS)) and "/" not in label:
            yield name, (name[:end], label)


def _by_image_folder(names: Collection[str], image_of: Mapping[str, Path]) -> Iterator[tuple[str, tuple[str, str]]]:
    for name in names:
        image_name, _, label = name.rpartition("/")
        if image_name in image_of:
            yield name, (image_name, label)


def _by_name(label: str, names: Collection[str], image_of: Mapping[str, Path]) -> Iterator[tuple[str, tuple[str, str]]]:
    for name in names:
        if name in image_of:
            yield name, (name, label)


def _size(layers: Sequence[Layer]) -> Size | None:
    for layer in layers:
        try:
            return measure_image(layer.path)[0]
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            continue  # `Layer.problem` reports it
    return None


def _values(image: Image.Image) -> set | None:
    """Return the values of a mask, colours as tuples but black as 0; None if there are more than two."""
    if image.mode[0] == "I":
        values = np.unique(np.asarray(image))
        return set(values.tolist()) if len(values) <= 2 else None
    colors = (image if image.mode in ("1", "L") else image.convert("RGB")).getcolors(2)
    return None if colors is None else {0 if color in (0, (0, 0, 0)) else color for _, color in colors}


def _format_value(value: int | tuple) -> str:
    return f"#{bytes(value).hex()}" if isinstance(value, tuple) else str(value)
