"""What is to be checked: the pairs of a split with the rules that read their masks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from semseg.checks.findings import Finding, found, named, share
from semseg.checks.pairing_hints import name_partners
from semseg.datasets.cityscapes.convert import SOURCES
from semseg.datasets.dataset_file import DatasetFile
from semseg.datasets.pairs import find_pairs
from semseg.system.folders import walk_files

_WHERE_TO_GET = {  # by the name of the root
    "toycity": (
        "python tools/dataset.py toycity {root}",
        "python tools/convert_datasets/cityscapes.py {root}",
    ),
    "rosario_labelled": ("python tools/dataset.py toycity {parent}/rosario --style rosario",),
    "cityscapes": (
        "python tools/dataset.py download-cityscapes {root}",
        "python tools/convert_datasets/cityscapes.py {root}",
    ),
}


class Files(NamedTuple):
    """A photograph and its mask; None: it has none, since the set is only painted or its rules have `unlabelled`."""

    image_path: Path
    mask_path: Path | None


@dataclass(frozen=True, eq=False)
class Part:
    """One split of one set.

    Attributes:
        split: train, val or test.
        rules: how masks are read; of a set that a config describes by itself, what that comes to.
        files: in the order of the set.
        described_in: the dataset.yaml that `rules` come from; None: a config.
        bits: how many are in use of the 16 of a value, in photographs that store 16.
        reads_rgb: whether the photographs are loaded as RGB of 8 bits; a config may load them by other code.
        resizes: steps of the pipeline that scale the images; none where no config is checked.
    """

    split: str
    rules: DatasetFile
    files: tuple[Files, ...]
    described_in: Path | None
    bits: int | None = None
    reads_rgb: bool = True
    resizes: tuple[Mapping, ...] = ()

    @property
    def num_masks(self) -> int:
        """How many of the files have a mask."""
        return sum(files.mask_path is not None for files in self.files)

    def folder_of(self, kind: int) -> Path:
        """Return the common folder of the images (0) or masks (1)."""
        paths = [os.path.abspath(files[kind].parent) for files in self.files if files[kind]]  # noqa: PTH100
        return from_here(Path(os.path.commonpath(paths)))


def read_part(rules: DatasetFile, split: str) -> tuple[Part | None, list[Finding]]:
    """Pair the files of a split of a dataset.yaml; what has no partner is a finding."""

    def fault(code: str, message: str) -> tuple[None, list[Finding]]:
        return None, [Finding("error", code, split, 0, 0, message)]

    if not rules.root.is_dir():
        ways = where_to_get(rules.root) or f"set root in {rules.path}"
        return fault("no-folder", f"no folder {rules.root}; {ways}")
    try:
        pairing = find_pairs(rules, split)
    except FileNotFoundError as error:
        return fault("no-folder", str(error))
    except ValueError as error:
        return fault("no-pair", str(error))
    places = rules.splits[split]
    folders = () if places.images is None else (rules.root / places.images, rules.root / places.masks)
    findings = unpaired(
        split,
        [files.image_path for files in pairing.pairs],
        pairing.images_without_mask,
        pairing.masks_without_image,
        folders,
        ("image_suffix", "mask_suffix"),
        f"list the pairs to use: {split}: {{pairs: FILE}} in {rules.path}, or say there with unlabelled: CLASS what"
        " images without mask show",
    )
    filled = [(pair.image_path, rules.classes[rules.unlabelled]) for pair in pairing.pairs if pair.mask_path is None]
    if filled:
        message = (
            f"{share(len(filled), len(pairing.pairs), 'images')} have no mask and are {filled[0][1]} everywhere"
            f" (unlabelled), first {filled[0][0]}"
        )
        findings.append(found("note", "filled", split, filled, len(pairing.pairs), message))
    findings += foreign_files(split, pairing.ignored_files, folders)
    part = Part(split, rules, tuple(Files(*pair) for pair in pairing.pairs), rules.path, rules.bits)
    return (part if part.files else None), findings


def from_here(path: Path) -> Path:
    """Shorten a path below the current folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def where_to_get(root: Path) -> str:
    """Say how a set of this project's recipes comes to be; empty for others."""
    commands = [way.format(root=root, parent=root.parent) for way in _WHERE_TO_GET.get(root.name, ())]
    return f"run {', then '.join(commands)}" if commands else ""


def unpaired(
    split: str,
    paired_images: Sequence[Path],
    images_without_mask: Sequence[Path],
    masks_without_image: Sequence[Path],
    folders: Sequence[Path],
    keys: tuple[str, str],
    way_out: str,
) -> list[Finding]:
    """Report what has no partner.

    Args:
        split: whose files they are.
        paired_images: those that have one.
        images_without_mask: those that have none.
        masks_without_image: as `images_without_mask`.
        folders: of the images and of the masks; empty for a list of pairs.
        keys: the settings that name the suffixes.
        way_out: what else to do.
    """
    findings = []
    if images_without_mask:
        total = len(paired_images) + len(images_without_mask)
        rows = [(path, "no mask") for path in images_without_mask]
        cause = _why_no_mask(images_without_mask, masks_without_image, folders, keys)
        message = (
            f"{share(len(rows), total, 'images')} have no mask, first {rows[0][0]};"
            f" {cause or f'label them, or {way_out}'}"
        )
        code = "images-without-mask" if paired_images else "no-pair"
        findings.append(found("error", code, split, rows, total, message))
    if masks_without_image and paired_images:
        total = len(paired_images) + len(masks_without_image)
        rows = [(path, "no image") for path in masks_without_image]
        message = (
            f"{share(len(rows), total, 'masks')} have no image and are left out, first {rows[0][0]};"
            " add the images, or remove the masks"
        )
        findings.append(found("warning", "masks-without-image", split, rows, total, message))
    return findings


def foreign_files(split: str, others: Sequence[Path], folders: Sequence[Path]) -> list[Finding]:
    """Report what lies in the folders and is neither a photograph nor a mask."""
    hidden = [
        path
        for folder in dict.fromkeys(folders)
        for path in sorted(walk_files(folder, hidden=True))
        if any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    rows = [(path, "hidden") for path in hidden] + [(path, "another kind") for path in others]
    if not rows:
        return []
    message = f"{len(rows)} other file{'s' * (len(rows) > 1)} skipped: {named(rows)}"
    return [found("note", "foreign-files", split, rows, len(rows), message)]


def _why_no_mask(images: Sequence[Path], masks: Sequence[Path], folders: Sequence[Path], keys: tuple[str, str]) -> str:
    for suffix in SOURCES["auto"] if folders else ():
        if any(path.name.endswith(suffix) for path in walk_files(folders[1])):
            root = next((f for f in folders[1].parents if f.name not in ("gtFine", "gtCoarse")), folders[1])
            return f"*{suffix} is there: run python tools/convert_datasets/cityscapes.py {root}"
    return name_partners(images, masks, folders, keys) if folders and masks else ""
