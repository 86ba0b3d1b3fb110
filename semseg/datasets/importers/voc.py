"""Read Pascal VOC: the masks of SegmentationClass, with the splits of ImageSets/Segmentation.

A folder SegmentationClassAug beside it, with the masks of SBD (Hariharan et al., "Semantic contours from inverse
detectors", ICCV 2011), adds training images: those of trainaug.txt, else of train.txt and aug.txt, else all that
val.txt and test.txt do not list. An image that has a mask in both folders keeps that of VOC.

Sources: the development kit of VOC2012; MMSegmentation's docs/en/user_guides/2_dataset_prepare.md and
tools/dataset_converters/voc_aug.py; mmseg/datasets/voc.py for the classes.
"""

from __future__ import annotations

from pathlib import Path

from semseg.datasets.dataset_keys import SPLITS
from semseg.datasets.importers.layouts import annotate, missing_layout
from semseg.datasets.importers.parsed import Annotated, Label, Parsed
from semseg.datasets.pairs import name_files
from semseg.errors import InvalidDataError, MissingDataError
from semseg.labels import distinct_colors
from semseg.system.path_lists import read_list_text
from semseg.system.wording import listing

_TITLE = "Pascal VOC"
_ROOTS = ("", "VOC2012", "VOCdevkit/VOC2012")
_IMAGES, _MASKS, _MORE_MASKS, _LISTS = (
    "JPEGImages", "SegmentationClass", "SegmentationClassAug", "ImageSets/Segmentation",
)  # fmt: skip
_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


def read_voc(source: Path) -> Parsed:
    """Read the lists and pair their images with masks.

    Args:
        source: the folder that holds JPEGImages, or VOCdevkit around it.

    Raises:
        FileNotFoundError: the folder has another layout, or an image of a list has no mask.
        ValueError: a list is empty, or a mask is not an image.
    """
    root = next((source / sub for sub in _ROOTS if (source / sub / _IMAGES).is_dir()), source)
    if not all((root / sub).is_dir() for sub in (_IMAGES, _MASKS, _LISTS)):
        raise missing_layout(source, _TITLE, [f"{_IMAGES}/, {_MASKS}/ and {_LISTS}/"])
    mask_of = name_files(root / _MASKS, [".png"])
    names = {split: names for split in SPLITS if (names := _read_list(root, split))}
    notes = []
    if (root / _MORE_MASKS).is_dir():
        mask_of = name_files(root / _MORE_MASKS, [".png"]) | mask_of
        names["train"], how = _list_augmented(root, names, mask_of)
        notes.append(f"train: with the masks of {_MORE_MASKS}, {how}")
    if names.get("test") and not mask_of.keys() & set(names["test"]):
        notes.append(f"left out: {len(names.pop('test'))} images of test without masks")
    if not names:
        raise MissingDataError(
            f"no list of images in {root / _LISTS}; expected train.txt and val.txt", code="E-data-missing"
        )
    images: list[Annotated] = []
    for split, of_split in names.items():
        if absent := [name for name in of_split if name not in mask_of]:
            raise MissingDataError(
                f"{root / _LISTS / split}.txt: {len(absent)} of {len(of_split)} images have no mask, first {absent[0]};"
                " add the masks, or remove the lines",
                code="E-data-missing",
            )
        images += (annotate(name, root / _IMAGES / f"{name}.jpg", mask_of[name], split) for name in of_split)
    listed = {name for of_split in names.values() for name in of_split}
    if unlisted := sorted(mask_of.keys() - listed):
        notes.append(f"left out: {len(unlisted)} masks that are in no list ({listing(unlisted)})")
    colors = [(0, 0, 0), *distinct_colors(len(_CLASSES) - 1)]  # VOClabelcolormap.m, as the palette of the masks
    labels = tuple(Label(value, *row) for value, row in enumerate(zip(_CLASSES, colors, strict=True)))
    return Parsed(
        tuple(images),
        encoding="ids",
        labels=labels,
        notes=tuple(notes),
        title=f"{_TITLE} ({root.name})",
        is_readable_in_place=True,
    )


def _list_augmented(root: Path, names: dict[str, list[str]], mask_of: dict[str, Path]) -> tuple[list[str], str]:
    """Return the training images of the augmented set, and where they come from."""
    if listed := _read_list(root, "trainaug"):
        return listed, "by trainaug.txt"
    if listed := _read_list(root, "aug"):
        return list(dict.fromkeys([*names.get("train", []), *listed])), "by train.txt and aug.txt"
    others = {*names.get("val", []), *names.get("test", [])}
    return sorted(mask_of.keys() - others), "all that val.txt does not list"


def _read_list(root: Path, name: str) -> list[str]:
    """Return the names of a list, each once; empty if there is no such list. A line may be the paths of a pair."""
    path = root / _LISTS / f"{name}.txt"
    if not path.is_file():
        return []
    lines = [line.split()[0] for line in read_list_text(path).splitlines() if line.strip()]
    if not lines:
        raise InvalidDataError(f"{path} lists no image", code="E-data-pairs")
    return list(dict.fromkeys(Path(line.replace("\\", "/")).name.removesuffix(".jpg") for line in lines))
