"""How many pixels of each class every mask of a set holds: counted once, and cached in a file until a mask changes."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from semseg.datasets.statistics import count_masks
from semseg.system.atomic import atomic_path
from semseg.system.cache_folder import cache_dir
from semseg.system.machine import num_cpus

_VERSION = 1  # of the format of the cache file
_FEW_MASKS = 32  # reading these takes less time than starting a second process


def index_classes(
    read: Callable[[Any], np.ndarray],
    items: Sequence[Any],
    mask_paths: Sequence[str],
    rules: str,
    num_classes: int,
    on_read: Callable[[int], None],
) -> np.ndarray:
    """Return how many pixels of each class every mask holds; only masks that changed are read.

    If several processes call this at the same time, the first one reads the masks and the others wait for it.

    Args:
        read: returns the train ids of an item, uint8; must be picklable.
        items: one for each mask.
        mask_paths: their files, in the same order.
        rules: a text that changes when the same file would give other train ids.
        num_classes: of the set; other values, such as 255, are not counted.
        on_read: called with the number of masks that have to be read, if any.

    Returns:
        int64, shape (number of masks, num_classes).
    """
    folder = os.path.commonpath([os.path.abspath(path) for path in mask_paths])  # noqa: PTH100
    name = hashlib.sha256(json.dumps([folder, rules, num_classes]).encode()).hexdigest()[:16]
    path = cache_dir() / f"classes-{name}.json.gz"
    states = [_size_and_time(mask_path) for mask_path in mask_paths]
    with _locked(path.with_suffix(".lock")):
        entries = _load(path)
        changed_rows = [row for row, mask in enumerate(mask_paths) if entries.get(mask, [None])[0] != states[row]]
        if changed_rows:
            on_read(len(changed_rows))
            num_processes = num_cpus() if len(changed_rows) > _FEW_MASKS else 1
            histograms = count_masks(read, [items[row] for row in changed_rows], num_processes)
            for row, histogram in zip(changed_rows, histograms, strict=True):
                train_ids = np.flatnonzero(histogram[:num_classes])
                entries[mask_paths[row]] = [states[row], [[int(i), int(histogram[i])] for i in train_ids]]
            _save(path, entries)
    counts = np.zeros((len(items), num_classes), np.int64)
    for row, mask in enumerate(mask_paths):
        for train_id, pixels in entries[mask][1]:
            counts[row, train_id] = pixels
    return counts


def _size_and_time(path: str) -> list[int]:
    status = Path(path).stat()
    return [status.st_size, status.st_mtime_ns]


def _load(path: Path) -> dict[str, list]:
    try:
        content = json.loads(gzip.decompress(path.read_bytes()))
        return dict(content["masks"]) if content["version"] == _VERSION else {}
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError):  # no cache, or a damaged one
        return {}


def _save(path: Path, entries: dict[str, list]) -> None:
    content = json.dumps({"version": _VERSION, "masks": entries}, separators=(",", ":"))
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(gzip.compress(content.encode(), 1))
    except OSError:  # without a cache the masks are counted again next time
        pass


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """Hold an exclusive lock on a file among the processes of this machine; without a lock on a read-only disk."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError:
        yield
        return
    with file:
        with suppress(OSError):  # some network disks do not support locks
            fcntl.flock(file, fcntl.LOCK_EX)  # released when the file closes, also if the process is killed
        yield
