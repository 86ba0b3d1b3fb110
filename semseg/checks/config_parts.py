"""List the files that a config's dataloaders would read, and find out why there are none."""

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
from semseg.checks.parts import Files, Part, read_part, report_foreign_files, report_unpaired, suggest_commands
from semseg.config.tree import inner_datasets_with_keys
from semseg.datasets.dataset_file import DatasetFile, read_dataset_file
from semseg.datasets.photographs import PHOTOGRAPH_LOADERS, RGB_COLOR_TYPES
from semseg.datasets.scaling import find_resizes
from semseg.labels import IGNORED
from semseg.system.folders import walk_files
from semseg.system.path_lists import read_list_text
from semseg.system.wording import listing


def without_pipeline(dataset: ConfigDict) -> dict:
    """Return the config of a dataset without its pipeline: it defines which files are read."""
    return {key: value for key, value in dataset.items() if key != "pipeline"}


def read_config_parts(cfg: Config, split: str, known_sources: Sequence[dict] = ()) -> tuple[list[Part], list[Finding]]:
    """Build the datasets of a dataloader, without pipelines, and list their files.

    Args:
        cfg: from `load_config`.
        split: train, val or test.
        known_sources: results of `without_pipeline`; datasets with one of these are skipped.
    """
    parts, findings = [], []
    for key, dataset in inner_datasets_with_keys(cfg[f"{split}_dataloader"].dataset, f"{split}_dataloader.dataset"):
        if without_pipeline(dataset) in known_sources:
            continue
        if str(dataset.type).rpartition(".")[2] == "FolderSegDataset":
            rules = read_dataset_file(dataset.dataset_file)
            if dataset.get("data_root") is not None:
                rules = dataclasses.replace(rules, root=Path(dataset.data_root))
            part, part_findings = read_part(rules, dataset.split)
            if part is not None:
                files = _select(part.files, dataset.get("indices"))
                part = dataclasses.replace(part, split=split, files=files)
            part_findings = [dataclasses.replace(finding, split=split) for finding in part_findings]
        else:
            part, part_findings = _read_self_described(dataset, split, key, Path(cfg.filename or "config"))
        if part is not None:
            steps = dataset.get("pipeline", ())
            loader = _find_photograph_loader(steps)
            bits = (loader or {}).get("bits")
            resizes = tuple(find_resizes(steps))
            parts.append(dataclasses.replace(part, bits=bits, reads_rgb=loader is not None, resizes=resizes))
        findings += part_findings
    return parts, findings


def _read_self_described(
    dataset: ConfigDict, split: str, key: str, config_path: Path
) -> tuple[Part | None, list[Finding]]:
    """List the files of a dataset without dataset.yaml: one of MMSegmentation, or derived from those."""

    def fault(code: str, message: str) -> tuple[None, list[Finding]]:
        return None, [Finding("error", code, split, 0, 0, message)]

    built = DATASETS.build({**dataset, "pipeline": [], "lazy_init": True})
    image_dir, mask_dir = (built.data_prefix.get(name) for name in ("img_path", "seg_map_path"))
    image_suffix = getattr(built, "img_suffix", "")
    # with a list of names, or with files on a server, the folders are not searched
    is_folder = not built.ann_file and getattr(built, "backend_args", None) is None
    for name, folder in (("img_path", image_dir), ("seg_map_path", mask_dir)):
        if folder and is_folder and not Path(folder).is_dir():
            root = Path(built.data_root or folder)
            if root.is_dir():
                setting = f"{key}.data_prefix.{name}"
                return fault("no-folder", f"no folder {folder}; {root} holds {_list_folder(root)}; set {setting}")
            setting = f"set {key}.data_root to the folder of the set"
            return fault("no-folder", f"no folder {root}; {suggest_commands(root) or setting}")
    if built.ann_file and not Path(built.ann_file).exists():
        return fault("no-folder", f"no list {built.ann_file}; set {key}.ann_file")
    list_fault = _find_list_fault(Path(built.ann_file)) if built.ann_file else ""
    if list_fault:
        return fault("unclear-list", f"{built.ann_file} {list_fault}")
    try:
        items = _select(built.load_data_list(), dataset.get("indices"))
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return fault("link-loop", f"{image_dir} holds a link that leads back into it; remove the link")
    if not items:
        if built.ann_file:
            return fault("no-image", f"{built.ann_file} lists no image; set {key}.ann_file")
        suffixes = _count_suffixes(Path(image_dir))
        message = f"0 images end with {image_suffix!r} under {image_dir} (found: {suffixes}); set {key}.img_suffix"
        return fault("no-image", message)

    files = [Files(Path(item["img_path"]), _to_path(item.get("seg_map_path"))) for item in items]
    without_mask = [pair for pair in files if pair.mask_path is not None and not pair.mask_path.is_file()]
    skipped = set(without_mask)
    kept = [pair for pair in files if pair not in skipped]
    findings = []
    if mask_dir:
        folders = (Path(image_dir), Path(mask_dir)) if is_folder else ()
        unused_masks: list[Path] = []
        if is_folder and not dataset.get("indices"):
            used = {pair.mask_path for pair in kept}
            mask_suffix = getattr(built, "seg_map_suffix", "") if without_mask or kept else ""
            end = mask_suffix if kept else ".png"
            unused_masks = sorted(p for p in walk_files(mask_dir) if p.name.endswith(end) and p not in used)
        findings = report_unpaired(
            split,
            [pair.image_path for pair in kept],
            [pair.image_path for pair in without_mask],
            unused_masks,
            folders,
            (f"{key}.img_suffix", "seg_map_suffix"),
            f"list the names to use in {key}.ann_file",
        )
    if is_folder:
        mask_suffix = getattr(built, "seg_map_suffix", "") if mask_dir == image_dir else "\n"
        others = [path for path in sorted(walk_files(image_dir)) if not path.name.endswith((image_suffix, mask_suffix))]
        findings += report_foreign_files(split, others, [Path(image_dir)])
    if not kept:
        return None, findings
    rules = _make_rules(built, items[0], dataset, config_path)
    return Part(split, rules, tuple(kept), None), findings


def _find_list_fault(path: Path) -> str:
    """Return what MMSegmentation, which does not parse the lines of a list, would misread; empty: nothing."""
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


def _make_rules(built: Any, item: Mapping, dataset: ConfigDict, config_path: Path) -> DatasetFile:
    """Return the rules of a dataset.yaml that map values as LoadTrainIds and LoadAnnotations do for this dataset."""
    classes = tuple(built.metainfo.get("classes") or ())
    label_map = {getattr(built, "ignore_index", IGNORED): IGNORED}
    reduced = np.arange(256)  # stored value -> value after `reduce_zero_label`
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


def _find_photograph_loader(steps: Sequence) -> Mapping | None:
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


def _select(items: Sequence, indices: int | Sequence[int] | None) -> tuple:
    if indices is None:
        return tuple(items)
    if isinstance(indices, int):
        return tuple(items[:indices] if indices >= 0 else items[indices:])
    return tuple(items[index] for index in indices)


def _to_path(path: str | None) -> Path | None:
    return None if path is None else Path(path)


def _list_folder(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    return listing(names, 6) or "nothing"


def _count_suffixes(folder: Path) -> str:
    counts = Counter(path.suffix or path.name for path in walk_files(folder))
    return ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common(4)) or "nothing"
