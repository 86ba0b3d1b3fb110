"""Pack a split: decode each picture once, and write its tiles; see `store` for the files."""

from __future__ import annotations

import itertools
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semseg.datasets.packed.partial_files import Packed, PartialFiles, Picture
from semseg.datasets.packed.rules import loading_steps, reading_rules
from semseg.datasets.packed.store import TILE_PX, PackedSplit, lz4_block
from semseg.errors import InvalidDataError, MissingDataError
from semseg.system.atomic import naming_disk_errors
from semseg.system.claims import take_claim
from semseg.system.worker_pool import run_in_order

_LEVEL = 4  # of LZ4's high compression; higher levels save little, and take several times as long


def pack_split(
    parts: Sequence[Any],
    split: str,
    folder: Path,
    num_processes: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> Packed:
    """Write the pictures of a split to a packed set, and continue if that was interrupted.

    A split that is packed already is kept if its files have not changed, and replaced otherwise.

    Args:
        parts: data sets as MMEngine builds them, without wrappers, with the pipelines that load them.
        split: its name in the packed set.
        folder: of the packed set.
        num_processes: that decode pictures.
        on_progress: called with the number of pictures that are done, and the total.

    Raises:
        ValueError: lz4 is not installed, another process packs to the folder, the sets are read by different
            rules, a pipeline does not begin with the loaders of photograph and mask, or a picture cannot be read.
    """
    lz4_block()  # or say at once that it is missing
    samples = []
    for part in parts:
        loaders = loading_steps(part.pipeline.transforms)
        samples += [(loaders, part.get_data_info(i)) for i in range(len(part))]
    if not samples:
        raise InvalidDataError(f"split {split} has no pictures to pack", code="E-data-empty")
    rules = _common_rules(samples)
    names = [os.path.relpath(info["img_path"], folder) for _, info in samples]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidDataError(
            f"{folder / twice} is in the data twice; a packed set has each photograph once", code="E-data-duplicate"
        )
    with naming_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        claim = take_claim(folder / "pack.claim")
    if claim is None:
        raise InvalidDataError(
            f"{folder} is being packed by another process; wait for its end, or choose another folder",
            code="E-data-packed",
        )
    with claim, naming_disk_errors(folder):
        return _finished(folder, split, rules, samples) or _pack(
            samples, names, PartialFiles(folder, split, rules), num_processes, on_progress
        )


def _pack(
    samples: list[tuple[list, dict]],
    names: list[str],
    files: PartialFiles,
    num_processes: int,
    on_progress: Callable[[int, int], None] | None,
) -> Packed:
    num_done = files.resume(names, [_facts(info) for _, info in samples])
    report = on_progress or (lambda done, total: None)
    report(num_done, len(samples))
    try:
        pictures = run_in_order(_encode, samples[num_done:], num_processes)
        for number, picture in enumerate(pictures, start=num_done):
            files.append(names[number], picture)
            report(number + 1, len(samples))
    finally:
        files.sync()
    return files.finish()


def file_facts(info: dict[str, Any], with_checksum: bool = True) -> list[list[int]]:
    """Return size in bytes, time of change in ns and CRC-32 (0 if not asked for) of the files of a sample.

    They are the photograph, the mask, and the region of interest if there is one.
    """
    facts = []
    for path in (info["img_path"], info.get("seg_map_path"), *filter(None, [info.get("roi_path")])):
        if path is None:
            facts.append([-1, -1, -1])
            continue
        status = os.stat(path)  # noqa: PTH116 - millions of them
        facts.append([status.st_size, status.st_mtime_ns, zlib.crc32(Path(path).read_bytes()) if with_checksum else 0])
    return facts


def _facts(info: dict[str, Any]) -> list[list[int]]:
    return file_facts(info, with_checksum=False)


def _common_rules(samples: list[tuple[list, dict]]) -> dict[str, str]:
    all_rules = [json.dumps(reading_rules(loaders, info)) for loaders, info in _one_of_each(samples)]
    if len(set(all_rules)) > 1:
        raise InvalidDataError(
            "the sets of this split are read by different rules (classes, encoding, bits, roi); pack each by itself",
            code="E-data-packed",
        )
    return json.loads(all_rules[0])


def _one_of_each(samples: list[tuple[list, dict]]) -> Iterator[tuple[list, dict]]:
    """Yield a sample of each data set."""
    for _, group in itertools.groupby(samples, key=lambda sample: id(sample[0][0])):
        yield next(group)


def _encode(sample: tuple[list, dict]) -> Picture:
    loaders, info = sample
    facts = file_facts(info)
    results: dict[str, Any] = dict(info, seg_fields=[])
    for step in loaders:
        results = step(results)
    if not results:  # a loader with ignore_empty
        raise InvalidDataError(f"{info['img_path']} cannot be read", code="E-data-unreadable")
    image, train_ids = results["img"], results.get("gt_seg_map")
    if train_ids is None:
        raise MissingDataError(f"{info['img_path']} has no mask, so it cannot be packed", code="E-data-pairs")
    if image.shape != (*train_ids.shape, 3) or (image.dtype, train_ids.dtype) != (np.uint8, np.uint8):
        raise InvalidDataError(
            f"{info['img_path']} and its mask are {image.dtype} {image.shape} and {train_ids.dtype} {train_ids.shape};"
            " a packed set has 8-bit RGB photographs, and masks of their size",
            code="E-data-image-kind",
        )
    height, width = train_ids.shape
    blocks = [
        _compress(layer[y : y + TILE_PX, x : x + TILE_PX])
        for y in range(0, height, TILE_PX)
        for x in range(0, width, TILE_PX)
        for layer in (image, train_ids)
    ]
    return Picture(blocks, (height, width), facts)


def _compress(tile: np.ndarray) -> bytes:
    content = np.ascontiguousarray(tile).tobytes()
    return lz4_block().compress(content, mode="high_compression", compression=_LEVEL, store_size=False)


def _finished(folder: Path, split: str, rules: dict, samples: list[tuple[list, dict]]) -> Packed | None:
    """Return what the folder holds already, if it is this split with these files."""
    try:
        stored = PackedSplit(folder, split)
    except (InvalidDataError, MissingDataError):  # not packed yet, or damaged
        return None
    names = [os.path.abspath(info["img_path"]) for _, info in samples]  # noqa: PTH100
    facts = np.array([_facts(info) for _, info in samples])
    if not set(names) & {*stored.names, *stored.moved_names}:
        raise InvalidDataError(
            f"{folder} holds {split} of another data set, such as {stored.names[0]}; choose another folder",
            code="E-data-packed",
        )
    if stored.rules != rules or names not in (stored.names, stored.moved_names):
        return None
    if not np.array_equal(facts[..., :2], stored.facts[..., :2]):
        return None
    try:
        stored.verify()
    except InvalidDataError:
        return None
    return Packed(len(names), stored.num_bytes, int(facts[..., 0].clip(0).sum()), is_new=False)
