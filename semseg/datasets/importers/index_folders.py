"""Read published sets that store ids in one folder of masks per split: each is a description, and shares one reader."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from semseg.datasets.dataset_keys import SPLITS
from semseg.datasets.importers.ade20k_classes import ADE20K_CLASSES, check_object_info
from semseg.datasets.importers.layouts import describe_lone_images, missing_layout, pair_folders
from semseg.datasets.importers.parsed import Label, Parsed
from semseg.datasets.pairs import name_files
from semseg.errors import InvalidDataError
from semseg.labels import CITYSCAPES, IGNORED


class FolderLayout(NamedTuple):
    """Where a set has its files, relative to its folder.

    Attributes:
        images: folder of the images; {} is one of `folders`.
        masks: folder of the masks, likewise.
        folders: for train, val and test; several if a split has several folders.
        image_suffix: of the images; an image and its mask share the rest of the name.
        mask_suffix: of the masks.
        class_file: lists the classes; the layout only fits if it is there.
    """

    images: str
    masks: str
    folders: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    image_suffix: str = ".jpg"
    mask_suffix: str = ".png"
    class_file: str | None = None

    def fits(self, root: Path) -> bool:
        """Return whether a folder has this layout: images and masks of one split, and the file with the classes."""
        return (self.class_file is None or (root / self.class_file).is_file()) and any(
            (root / self.images.format(name)).is_dir() and (root / self.masks.format(name)).is_dir()
            for names in self.folders
            for name in names
        )

    def describe(self) -> str:
        """Return the places of a training split, for messages."""
        name = self.folders[0][0]
        places = [f"{self.images.format(name)}/", f"{self.masks.format(name)}/"]
        return ", ".join([*([self.class_file] if self.class_file else []), *places])


class IndexFolders(NamedTuple):
    """A published set: its title, its layouts, and a function that returns its labels from its folder."""

    title: str
    layouts: tuple[FolderLayout, ...]
    labels: Callable[[Path, FolderLayout], tuple[Label, ...]]
    check: Callable[[Path], None] = lambda root: None


def read_index_folders(described: IndexFolders, source: Path) -> Parsed:
    """Find the layout of a set, its classes, and the pairs of all splits.

    Raises:
        FileNotFoundError: the folder has none of the layouts.
        ValueError: the list of classes is wrong, or a mask is not an image.
    """
    layout = next((layout for layout in described.layouts if layout.fits(source)), None)
    if layout is None:
        raise missing_layout(source, described.title, (layout.describe() for layout in described.layouts))
    described.check(source)
    images, notes = [], []
    for split, folders in zip(SPLITS, layout.folders, strict=True):
        for folder in folders:
            image_dir, mask_dir = source / layout.images.format(folder), source / layout.masks.format(folder)
            prefix = f"{Path(folder).name}/" if len(folders) > 1 else ""
            if mask_dir.is_dir():
                suffixes = [layout.image_suffix], [layout.mask_suffix]
                pairs, lone = pair_folders(split, image_dir, mask_dir, *suffixes, prefix)
                images += pairs
            else:
                lone = list(name_files(image_dir, [layout.image_suffix]).values()) if image_dir.is_dir() else []
            notes += describe_lone_images(split, lone, image_dir)
    return Parsed(
        tuple(images),
        encoding="ids",
        labels=described.labels(source, layout),
        notes=tuple(notes),
        title=described.title,
        is_readable_in_place=True,
    )


def _fixed(*labels: Label) -> Callable[[Path, FolderLayout], tuple[Label, ...]]:
    return lambda root, layout: labels


def _read_mapillary_labels(root: Path, layout: FolderLayout) -> tuple[Label, ...]:
    """Read a config of Mapillary Vistas: the position of a label is its id; those with `evaluate: false` are ignored.

    Source: the files `config_v1.2.json` and `config_v2.0.json`, and `demo.py`, of the data set.
    """
    assert layout.class_file is not None
    path = root / layout.class_file
    try:
        rows = json.loads(path.read_bytes())["labels"]
        labels = []
        for value, row in enumerate(rows):
            red, green, blue = bytes(row["color"])
            labels.append(Label(value, str(row["readable"]) if row["evaluate"] else None, (red, green, blue)))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidDataError(
            f"{path}: expected a list labels of {{readable, evaluate, color}}, as in Mapillary Vistas ({error})",
            code="E-data-classes",
        ) from None
    if len(labels) > IGNORED:
        raise InvalidDataError(
            f"{path}: {len(labels)} labels; a mask of bytes has room for {IGNORED}", code="E-data-classes"
        )
    return tuple(labels)


def _mapillary(version: str, layouts: tuple[tuple[str, str], ...]) -> IndexFolders:
    folders = (("training",), ("validation",), ("testing",))
    return IndexFolders(
        f"Mapillary Vistas {version}",
        tuple(FolderLayout("{}/images", masks, folders, class_file=config) for config, masks in layouts),
        _read_mapillary_labels,
    )


# Folders: MMSegmentation, docs/en/user_guides/2_dataset_prepare.md. Classes, colours and ids: the module of
# mmseg/datasets that is named beside each.
INDEX_FOLDERS: dict[str, IndexFolders] = {
    "bdd100k": IndexFolders(  # bdd100k.py: the train ids of Cityscapes
        "BDD100K",
        (
            FolderLayout("images/10k/{}", "labels/sem_seg/masks/{}", (("train",), ("val",), ("test",))),
            FolderLayout(  # the older archive bdd100k_seg.zip
                "seg/images/{}", "seg/labels/{}", (("train",), ("val",), ("test",)), mask_suffix="_train_id.png"
            ),
        ),
        _fixed(*(Label(label.train_id, label.name, label.color) for label in CITYSCAPES.evaluated)),
    ),
    "ade20k": IndexFolders(  # ade.py: 0 is everything else, which reduce_zero_label ignores
        "ADE20K (ADEChallengeData2016)",
        (FolderLayout("images/{}", "annotations/{}", (("training",), ("validation",), ("testing",))),),
        _fixed(Label(0, None), *(Label(i, name, color) for i, (name, color) in enumerate(ADE20K_CLASSES, 1))),
        check_object_info,
    ),
    "loveda": IndexFolders(  # loveda.py: 0 is no data, which reduce_zero_label ignores
        "LoveDA",
        (
            FolderLayout(
                "{}/images_png",
                "{}/masks_png",
                (("Train/Rural", "Train/Urban"), ("Val/Rural", "Val/Urban"), ("Test/Rural", "Test/Urban")),
                image_suffix=".png",
            ),
        ),
        _fixed(
            Label(0, None),
            Label(1, "background", (255, 255, 255)),
            Label(2, "building", (255, 0, 0)),
            Label(3, "road", (255, 255, 0)),
            Label(4, "water", (0, 0, 255)),
            Label(5, "barren", (159, 129, 183)),
            Label(6, "forest", (0, 255, 0)),
            Label(7, "agricultural", (255, 195, 128)),
        ),
    ),
    "mapillary-v1.2": _mapillary("v1.2", (("config_v1.2.json", "{}/v1.2/labels"), ("config.json", "{}/labels"))),
    "mapillary-v2.0": _mapillary("v2.0", (("config_v2.0.json", "{}/v2.0/labels"),)),
}
