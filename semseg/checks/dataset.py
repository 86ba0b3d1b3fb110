"""Check a data set: find all that can be wrong with its files before a run starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from semseg.checks.band_values import check_band_values
from semseg.checks.findings import Finding, Report, sort_findings
from semseg.checks.leaks import check_leaks
from semseg.checks.mask_values import check_masks
from semseg.checks.palettes import check_palettes
from semseg.checks.parts import Files, Part, read_part
from semseg.checks.photograph_values import check_values
from semseg.checks.pictures import check_listed_once, check_readable, check_repeats, check_sizes
from semseg.checks.regions import check_rois
from semseg.checks.scaled_sizes import check_scaled_sizes
from semseg.datasets.band_rules import BandRules
from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.facts_cache import FactsCache
from semseg.datasets.file_facts import ImageFacts, MaskFacts, read_band_facts, read_image_facts, read_mask_facts
from semseg.datasets.roi_facts import RoiFacts, read_roi_facts, take_inside
from semseg.errors import InvalidDataError
from semseg.system.worker_pool import run_all

_PER_PROCESS = 32  # with fewer files, starting another process costs more time than it saves


def check_dataset_file(
    path: str | Path,
    splits: Sequence[str] = (),
    *,
    deep: bool = False,
    num_processes: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Check the set of a dataset.yaml.

    Args:
        path: the file.
        splits: which of its splits; default: all.
        deep: decode every image; otherwise masks, and images of more than 8 bits.
        num_processes: files are read in this many processes.
        on_progress: called with the number of pairs read so far and the number of pairs to read.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is invalid, or has no such split.
    """
    rules = read_dataset_file(path)
    parts, findings = [], []
    for split in splits or rules.splits:
        if split not in rules.splits:
            raise InvalidDataError(
                f"{path} has no split {split!r}, only {', '.join(rules.splits)}", code="E-data-split"
            )
        part, part_findings = read_part(rules, split)
        parts += [part] if part is not None else []
        findings += part_findings
    remedy = f"python tools/dataset.py split {path} --group-by RULE --out DIR keeps neighbours together"
    return check_parts(str(path), parts, findings, remedy, deep, num_processes, on_progress)


def check_parts(
    source: str,
    parts: Sequence[Part],
    findings: Sequence[Finding],
    repeats_remedy: str,
    deep: bool,
    num_processes: int,
    on_progress: Callable[[int, int], None] | None,
) -> Report:
    """Read the files of all parts, unless the cache knows them, and apply every check.

    Args:
        source: the name of what is checked.
        parts: the sets whose files could be listed.
        findings: of the listing.
        repeats_remedy: what to do about pictures that are in two splits.
        deep, num_processes, on_progress: as in `check_dataset_file`.
    """
    all_findings = list(findings)
    images, masks, rois, num_read = _read(parts, deep, num_processes, on_progress)
    by_split: dict[str, list] = {}
    listed: dict[str, list] = {}
    splits: dict[str, int] = {}
    all_masks: list = []
    num_files = 0
    for part in parts:
        own_images = [(files.image_path, images[files.image_path]) for files in part.files]
        own_masks = [(files.mask_path, masks[files.mask_path]) for files in part.files if files.mask_path]
        own_rois = {
            files: (files.roi_path, rois[files.roi_path, files.mask_path]) for files in part.files if files.roi_path
        }
        num_files += len(own_images) + len(own_masks) + len(own_rois)
        splits[part.split] = splits.get(part.split, 0) + len(part.files)
        all_findings += check_readable(part.split, [*own_images, *own_masks, *own_rois.values()])
        check = check_values if part.rules.bands is None else check_band_values
        all_findings += check(part, [row for row in own_images if not row[1].problem])
        good_masks = [row for row in own_masks if not row[1].problem]
        pairs = [
            ((files.image_path, images[files.image_path]), (files.mask_path, masks[files.mask_path]))
            for files in part.files
            if files.mask_path and not masks[files.mask_path].problem and _has_size(images[files.image_path])
        ]
        all_findings += check_sizes(part, pairs)
        all_findings += check_rois(
            part,
            [
                (*row, files.image_path, images[files.image_path])
                for files, row in own_rois.items()
                if not row[1].problem and _has_size(images[files.image_path])
            ],
        )
        all_findings += check_scaled_sizes(part, own_images)
        inside = {
            files.mask_path: facts
            for files, (_, roi) in own_rois.items()
            if files.mask_path and (facts := take_inside(masks[files.mask_path], roi)) is not None
        }
        all_findings += check_masks(part, good_masks, inside, _filled_areas(part, images, own_rois))
        all_masks += [(part, *row) for row in good_masks]
        listed.setdefault(part.split, []).extend(part.files)
        by_split.setdefault(part.split, []).extend(row for row in own_images if not row[1].problem)
    all_findings += check_listed_once(listed)
    all_findings += check_repeats(by_split, repeats_remedy)
    all_findings += check_leaks(by_split, {part.described_in for part in parts}, deep)
    by_rules: dict[tuple, list] = {}  # with another label_map the same colour may have another number
    for part, *row in all_masks:
        key = (part.rules.classes, frozenset(part.rules.label_map.items()))
        by_rules.setdefault(key, []).append((part, *row))
    for masks_of_rules in by_rules.values():
        all_findings += check_palettes(masks_of_rules)
    return Report(source, deep, splits, sort_findings(all_findings), num_read, num_files - num_read)


def _has_size(facts: ImageFacts) -> bool:
    return not facts.problem and not facts.refusal


def _filled_areas(
    part: Part, images: Mapping[Path, ImageFacts], rois: Mapping[Files, tuple[Path, RoiFacts]]
) -> list[int]:
    """Return the number of pixels of each readable photograph that has no mask and shows the class `unlabelled`."""
    if part.rules.unlabelled is None:
        return []
    without_mask = [files for files in part.files if files.mask_path is None and _has_size(images[files.image_path])]
    return [
        rois[files][1].num_inside if files in rois else images[files.image_path].width * images[files.image_path].height
        for files in without_mask
    ]


class _Job(NamedTuple):
    """Files to read; None for a file whose facts are known."""

    image_path: Path | None
    mask_path: Path | None
    roi_paths: tuple[Path, Path | None] | None  # the region of interest, and the mask whose values are counted inside
    deep: bool
    bands: BandRules | None  # of the set, if its pictures are no photographs; `exif` is for these
    exif: str


def _read_facts(job: _Job) -> tuple[ImageFacts | None, MaskFacts | None, RoiFacts | None]:
    """Read files. A file that cannot be read gives facts with a `problem`, not an error."""
    image = None
    if job.image_path is not None and job.bands is not None:
        image = read_band_facts(job.image_path, job.bands, job.exif)
    elif job.image_path is not None:
        image = read_image_facts(job.image_path, job.deep)
    return (
        image,
        None if job.mask_path is None else read_mask_facts(job.mask_path),
        None if job.roi_paths is None else read_roi_facts(*job.roi_paths),
    )


def _read(
    parts: Sequence[Part],
    deep: bool,
    num_processes: int,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[dict, dict, dict, int]:
    """Return the facts of images, masks and regions of interest, and how many files were opened.

    Those of images and masks are by path, those of regions by their path and that of the mask.
    """
    images: dict = {}
    masks: dict = {}
    rois: dict = {}
    caches = [FactsCache([files.image_path for files in part.files]) for part in parts]
    jobs, owners = [], []
    for part, cache in zip(parts, caches, strict=True):
        for image_path, mask_path, roi_path in part.files:
            bands = part.rules.bands  # what is known of a file does not depend on them: such pictures are read again
            image = None if bands is not None else cache.find("images", image_path)
            if image is not None and deep and not image.thumbnail and not image.problem:
                image = None
            mask = None if mask_path is None else cache.find("masks", mask_path)
            images[image_path], masks[mask_path] = image, mask
            roi = None
            if roi_path is not None:
                roi = rois[roi_path, mask_path] = cache.find("rois", *filter(None, (roi_path, mask_path)))
            job = _Job(
                None if image else image_path,
                None if mask else mask_path,
                None if roi or roi_path is None else (roi_path, mask_path),
                deep,
                bands,
                part.rules.exif,
            )
            if any(job[:3]):
                jobs.append(job)
                owners.append(cache)
    num_processes = max(1, min(num_processes, len(jobs) // (_PER_PROCESS // 8 if deep else _PER_PROCESS)))
    num_read = 0
    for job, cache, facts in zip(jobs, owners, run_all(_read_facts, jobs, num_processes, on_progress), strict=True):
        image, mask, roi = facts
        if job.image_path is not None and image is not None:
            images[job.image_path] = image
            if job.bands is None:
                cache.add("images", job.image_path, facts=image)
        if job.mask_path is not None and mask is not None:
            masks[job.mask_path] = mask
            cache.add("masks", job.mask_path, facts=mask)
        if job.roi_paths is not None and roi is not None:
            rois[job.roi_paths] = roi
            cache.add("rois", *filter(None, job.roi_paths), facts=roi)
        num_read += sum(item is not None for item in facts)
    for cache in caches:
        cache.save()
    return images, masks, rois, num_read
