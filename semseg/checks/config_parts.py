"""What a config's dataloaders would read, and why that would be nothing."""

from __future__ import annotations

import codecs
import dataclasses
import errno
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config, ConfigDict
from mmseg.registry import DATASETS

from semseg.checks.findings import Finding
from semseg.checks.parts import Files, Part, foreign_files, read_part, unpaired, where_to_get
from semseg.config.tree import inner_datasets_with_keys
from semseg.datasets.dataset_file import DatasetFile, read_dataset_file
from semseg.datasets.photographs import PHOTOGRAPH_LOADERS, RGB_COLOR_TYPES
from semseg.datasets.scaling import find_resizes
from semseg.labels import IGNORED
from semseg.system.folders import walk_files
from semseg.system.path_lists import read_list_text


def source_of(dataset: ConfigDict) -> dict:
    """Return what says which files a dataset reads: its config without the pipeline."""
    return {key: value for key, value in dataset.items() if key != "pipeline"}


def read_config_parts(cfg: Config, split: str, known: Sequence[dict] = ()) -> tuple[list[Part], list[Finding]]:
    """Build the datasets of a dataloader, without pipelines, and list their files.

    Args:
        cfg: from `load_config`.
        split: train, val or test.
        known: those of `source_of` that are left out.
    """
    parts, findings = [], []
    for key, dataset in inner_datasets_with_keys(cfg[f"{split}_dataloader"].dataset, f"{split}_dataloader.dataset"):
        if source_of(dataset) in known:
            continue
        if str(dataset.type).rpartition(".")[2] == "FolderSegDataset":
            rules = read_dataset_file(dataset.dataset_file)
            if dataset.get("data_root") is not None:
                rules = dataclasses.replace(rules, root=Path(dataset.data_root))
            part, found = read_part(rules, dataset.split)
            if part is not None:
                files = _chosen(part.files, dataset.get("indices"))
                part = dataclasses.replace(part, split=split, files=files)
            found = [dataclasses.replace(finding, split=split) for finding in found]
        else:
            part, found = _read_plain(dataset, split, key, Path(cfg.filename or "config"))
        if part is not None:
            steps = dataset.get("pipeline", ())
            loader = _loader_of_photographs(steps)
            bits = (loader or {}).get("bits")
            resizes = tuple(find_resizes(steps))
            parts.append(dataclasses.replace(part, bits=bits, reads_rgb=loader is not None, resizes=resizes))
        findings += found
    return parts, findings


def _read_plain(dataset: ConfigDict, split: str, key: str, config_path: Path) -> tuple[Part | None, list[Finding]]:
    """List the files of a dataset that describes itself: MMSegmentation's, or one of its kind."""

    def fault(code: str, message: str) -> tuple[None, list[Finding]]:
        return None, [Finding("error", code, split, 0, 0, message)]

    built = DATASETS.build({**dataset, "pipeline": [], "lazy_init": True})
    image_dir, mask_dir = (built.data_prefix.get(name) for name in ("img_path", "seg_map_path"))
    image_suffix = getattr(built, "img_suffix", "")
    # a list instead of a folder; and sets on a server or of their own kind are taken as they list themselves
    is_folder = not built.ann_file and getattr(built, "backend_args", None) is None
    for name, folder in (("img_path", image_dir), ("seg_map_path", mask_dir)):
        if folder and is_folder and not Path(folder).is_dir():
            root = Path(built.data_root or folder)
            if root.is_dir():
                setting = f"{key}.data_prefix.{name}"
                return fault("no-folder", f"no folder {folder}; {root} holds {_listed(root)}; set {setting}")
            setting = f"set {key}.data_root to where the set lies"
            return fault("no-folder", f"no folder {root}; {where_to_get(root) or setting}")
    if built.ann_file and not Path(built.ann_file).exists():
        return fault("no-folder", f"no list {built.ann_file}; set {key}.ann_file")
    why_not = _list_fault(Path(built.ann_file)) if built.ann_file else ""
    if why_not:
        return fault("unclear-list", f"{built.ann_file} {why_not}")
    try:
        items = _chosen(built.load_data_list(), dataset.get("indices"))
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return fault("link-loop", f"{image_dir} holds a link that leads back into it; remove the link")
    if not items:
        if built.ann_file:
            return fault("no-image", f"{built.ann_file} lists no image; set {key}.ann_file")
        found = _suffixes(Path(image_dir))
        message = f"0 images end with {image_suffix!r} under {image_dir} (found: {found}); set {key}.img_suffix"
        return fault("no-image", message)

    files = [Files(Path(item["img_path"]), _path(item.get("seg_map_path"))) for item in items]
    lost = [pair for pair in files if pair.mask_path is not None and not pair.mask_path.is_file()]
    kept = [pair for pair in files if pair not in set(lost)]
    findings = []
    if mask_dir:
        folders = (Path(image_dir), Path(mask_dir)) if is_folder else ()
        strays: list[Path] = []
        if is_folder and not dataset.get("indices"):
            used = {pair.mask_path for pair in kept}
            mask_suffix = getattr(built, "seg_map_suffix", "") if lost or kept else ""
            end = mask_suffix if kept else ".png"
            strays = sorted(p for p in walk_files(mask_dir) if p.name.endswith(end) and p not in used)
        findings = unpaired(
            split,
            [pair.image_path for pair in kept],
            [pair.image_path for pair in lost],
            strays,
            folders,
            (f"{key}.img_suffix", "seg_map_suffix"),
            f"list the names to use in {key}.ann_file",
        )
    if is_folder:
        mask_suffix = getattr(built, "seg_map_suffix", "") if mask_dir == image_dir else "\n"
        others = [path for path in sorted(walk_files(image_dir)) if not path.name.endswith((image_suffix, mask_suffix))]
        findings += foreign_files(split, others, [Path(image_dir)])
    if not kept:
        return None, findings
    rules = _rules(built, items[0], dataset, config_path)
    return Part(split, rules, tuple(kept), None), findings


def _list_fault(path: Path) -> str:
    """Return what MMSegmentation, which takes each line of a list as it stands, would misread; empty if nothing."""
    if not path.is_file():
        return ""
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content:
        return (
            "is UTF-16 or begins with a byte order mark, which MMSegmentation would take for a part of the first name;"
            " save it as UTF-8 without the mark"
        )
    for number, line in enumerate(read_list_text(path).splitlines(), 1):
        if not line.strip() or "\\" in line:
            fault = "has back slashes; write / between folders" if line.strip() else "is empty; remove it"
            return f"line {number} {fault}"
    return ""


def _rules(built: Any, item: Mapping, dataset: ConfigDict, config_path: Path) -> DatasetFile:
    """State in the terms of a dataset.yaml what LoadTrainIds and LoadAnnotations make of a stored value."""
    classes = tuple(built.metainfo.get("classes") or ())
    label_map = {getattr(built, "ignore_index", IGNORED): IGNORED}
    reduced = np.arange(256)
    if item.get("reduce_zero_label"):
        reduced = np.concatenate([[IGNORED], reduced[:254], [IGNORED]])
    old_to_new = item.get("label_map") or {}
    for value in range(256):
        train_id = old_to_new.get(int(reduced[value]), int(reduced[value]))
        if train_id < len(classes) or train_id == IGNORED:
            label_map[value] = train_id
    return DatasetFile(
        path=config_path,
        root=Path(built.data_root or "."),
        splits={},
        encoding="ids",
        classes=classes,
        palette=(),
        label_map=label_map,
        exif="ignore" if _ignores_orientation(dataset.get("pipeline", ())) else "apply",
    )


def _loader_of_photographs(steps: Sequence) -> Mapping | None:
    """Return the step of a pipeline that loads photographs as RGB of 8 bits; None: other code loads them."""
    for step in steps:
        is_loader = isinstance(step, Mapping) and str(step.get("type")).rpartition(".")[2] in PHOTOGRAPH_LOADERS
        if is_loader and step.get("color_type", "color") in RGB_COLOR_TYPES:
            return step
    return None


def _ignores_orientation(steps: Any) -> bool:
    if isinstance(steps, Mapping):
        color_type = str(steps.get("color_type", ""))
        return (
            color_type.endswith("ignore_orientation")
            or color_type == "unchanged"
            or any(_ignores_orientation(step) for step in steps.values())
        )
    return isinstance(steps, (list, tuple)) and any(map(_ignores_orientation, steps))


def _chosen(items: Sequence, indices: int | Sequence[int] | None) -> tuple:
    if indices is None:
        return tuple(items)
    if isinstance(indices, int):
        return tuple(items[:indices] if indices >= 0 else items[indices:])
    return tuple(items[index] for index in indices)


def _path(path: str | None) -> Path | None:
    return None if path is None else Path(path)


def _listed(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "") or "nothing"


def _suffixes(folder: Path) -> str:
    counts = Counter(path.suffix or path.name for path in walk_files(folder))
    return ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common(4)) or "nothing"
