"""The parts of a check: the pairs of a split, with the rules that read their masks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from semseg.checks.findings import Finding, format_count, list_files, make_finding
from semseg.checks.pairing_hints import explain_missing_partners
from semseg.datasets.cityscapes.convert import SOURCES
from semseg.datasets.dataset_file import DatasetFile
from semseg.datasets.pairs import Pairing, find_pairs
from semseg.system.folders import walk_files

_COMMANDS = {  # that make a set, by the name of its root
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
    """A photograph and its mask.

    Attributes:
        image_path: the photograph.
        mask_path: None: it has no mask, for example because the rules have `unlabelled`.
        roi_path: its region of interest; None: it has none.
    """

    image_path: Path
    mask_path: Path | None
    roi_path: Path | None = None


@dataclass(frozen=True, eq=False)
class Part:
    """One split of one set.

    Attributes:
        split: train, val or test.
        rules: how masks are read; for a set without dataset.yaml they are made from the config.
        files: in the order of the set.
        described_in: the dataset.yaml that `rules` come from; None: a config.
        bits: how many of the 16 bits of a value are in use, in photographs that store 16.
        reads_rgb: whether the photographs are loaded as RGB of 8 bits; a config may use another loader.
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
        folders = {path.parent for files in self.files if (path := files[kind]) is not None}
        paths = [os.path.abspath(folder) for folder in folders]  # noqa: PTH100
        return relative_to_cwd(Path(os.path.commonpath(paths)))


def read_part(rules: DatasetFile, split: str) -> tuple[Part | None, list[Finding]]:
    """Pair the files of a split of a dataset.yaml; files without partner become findings."""

    def fault(code: str, message: str) -> tuple[None, list[Finding]]:
        return None, [Finding("error", code, split, 0, 0, message)]

    if not rules.root.is_dir():
        remedy = suggest_commands(rules.root) or f"set root in {rules.path}"
        return fault("no-folder", f"no folder {rules.root}; {remedy}")
    try:
        pairing = find_pairs(rules, split)
    except FileNotFoundError as error:
        return fault("no-folder", str(error))
    except ValueError as error:
        return fault("no-pair", str(error))
    places = rules.splits[split]
    folders: tuple[Path, ...] = ()
    if places.images is not None and places.masks is not None:  # else it is a list of pairs
        folders = tuple(rules.root / place for place in (places.images, places.masks, places.roi) if place is not None)
    findings = report_unpaired(
        split,
        [files.image_path for files in pairing.pairs],
        pairing.images_without_mask,
        pairing.masks_without_image,
        folders[:2],
        ("image_suffix", "mask_suffix"),
        f"list the pairs to use: {split}: {{pairs: FILE}} in {rules.path}, or say there with unlabelled: CLASS what"
        " images without mask show",
    )
    findings += _report_rois(split, pairing, rules)
    filled = [pair.image_path for pair in pairing.pairs if pair.mask_path is None]
    if filled and rules.unlabelled is not None:
        name = rules.classes[rules.unlabelled]
        rows = [(path, name) for path in filled]
        message = (
            f"{format_count(len(filled), len(pairing.pairs), 'images')} have no mask and are {name} everywhere"
            f" (unlabelled), first {filled[0]}"
        )
        findings.append(make_finding("note", "filled", split, rows, len(pairing.pairs), message))
    findings += report_foreign_files(split, pairing.ignored_files, folders)
    part = Part(split, rules, tuple(Files(*pair) for pair in pairing.pairs), rules.path, rules.bits)
    return (part if part.files else None), findings


def _report_rois(split: str, pairing: Pairing, rules: DatasetFile) -> list[Finding]:
    """Report images without region of interest, and regions without image."""
    findings = []
    if pairing.images_without_roi:
        rows = [(path, "no region of interest") for path in pairing.images_without_roi]
        total = len(pairing.pairs) + len(rows)
        message = (
            f"{format_count(len(rows), total, 'images')} have no region of interest, first {rows[0][0]}; draw them, set"
            f" roi_suffix, or leave out roi in {rules.path}"
        )
        findings.append(make_finding("error", "images-without-roi", split, rows, total, message))
    if pairing.rois_without_image and pairing.pairs:
        rows = [(path, "no image") for path in pairing.rois_without_image]
        total = len(pairing.pairs) + len(rows)
        message = (
            f"{format_count(len(rows), total, 'regions of interest')} have no image and are left out, first"
            f" {rows[0][0]}; add the images, or remove the regions"
        )
        findings.append(make_finding("warning", "rois-without-image", split, rows, total, message))
    return findings


def relative_to_cwd(path: Path) -> Path:
    """Make a path below the current folder relative to it; leave others as they are."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def suggest_commands(root: Path) -> str:
    """Name the commands that make a set of this project's recipes; empty for other sets."""
    commands = [text.format(root=root, parent=root.parent) for text in _COMMANDS.get(root.name, ())]
    return f"run {', then '.join(commands)}" if commands else ""


def report_unpaired(
    split: str,
    paired_images: Sequence[Path],
    images_without_mask: Sequence[Path],
    masks_without_image: Sequence[Path],
    folders: Sequence[Path],
    keys: tuple[str, str],
    remedy: str,
) -> list[Finding]:
    """Report images without mask and masks without image.

    Args:
        split: whose files they are.
        paired_images: images that have a mask.
        images_without_mask: images that have none.
        masks_without_image: masks that have no image.
        folders: of the images and of the masks; empty for a list of pairs.
        keys: the settings that hold the suffixes of images and of masks.
        remedy: what else to do.
    """
    findings = []
    if images_without_mask:
        total = len(paired_images) + len(images_without_mask)
        rows = [(path, "no mask") for path in images_without_mask]
        cause = _explain_missing_masks(images_without_mask, masks_without_image, folders, keys)
        message = (
            f"{format_count(len(rows), total, 'images')} have no mask, first {rows[0][0]};"
            f" {cause or f'label them, or {remedy}'}"
        )
        code = "images-without-mask" if paired_images else "no-pair"
        findings.append(make_finding("error", code, split, rows, total, message))
    if masks_without_image and paired_images:
        total = len(paired_images) + len(masks_without_image)
        rows = [(path, "no image") for path in masks_without_image]
        message = (
            f"{format_count(len(rows), total, 'masks')} have no image and are left out, first {rows[0][0]};"
            " add the images, or remove the masks"
        )
        findings.append(make_finding("warning", "masks-without-image", split, rows, total, message))
    return findings


def report_foreign_files(split: str, others: Sequence[Path], folders: Sequence[Path]) -> list[Finding]:
    """Report hidden files in the folders, and `others`: files that are neither photographs nor masks."""
    hidden = [
        path
        for folder in dict.fromkeys(folders)
        for path in sorted(walk_files(folder, hidden=True))
        if any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    rows = [(path, "hidden") for path in hidden] + [(path, "another kind") for path in others]
    if not rows:
        return []
    message = f"{len(rows)} other file{'s' * (len(rows) > 1)} skipped: {list_files(rows)}"
    return [make_finding("note", "foreign-files", split, rows, len(rows), message)]


def _explain_missing_masks(
    images: Sequence[Path], masks: Sequence[Path], folders: Sequence[Path], keys: tuple[str, str]
) -> str:
    for suffix in SOURCES["auto"] if folders else ():
        if any(path.name.endswith(suffix) for path in walk_files(folders[1])):
            root = next((f for f in folders[1].parents if f.name not in ("gtFine", "gtCoarse")), folders[1])
            return f"*{suffix} is there: run python tools/convert_datasets/cityscapes.py {root}"
    return explain_missing_partners(images, masks, folders, keys) if folders and masks else ""
