"""Which classes every mask of a set holds: read once, and kept in a cache file until a mask changes."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from semseg.datasets.statistics import count_masks
from semseg.system.atomic import atomic_path
from semseg.system.cache_folder import cache_dir
from semseg.system.machine import num_cpus

_VERSION = 1  # of what the entries mean
_FEW_MASKS = 32  # read before a second process has started


def index_classes(
    read: Callable[[Any], np.ndarray],
    items: Sequence[Any],
    mask_paths: Sequence[str],
    rules: str,
    num_classes: int,
    on_read: Callable[[int], None],
) -> np.ndarray:
    """Return how many pixels of each class every mask holds; only masks that changed are read.

    Of several processes that ask at the same time, the first reads the masks and the others wait for it.

    Args:
        read: returns the train ids of an item, uint8; it can be pickled.
        items: one for each mask.
        mask_paths: their files, in the same order.
        rules: a text that is another one when the same file means other train ids.
        num_classes: of the set; other values, such as 255, are not counted.
        on_read: called with the number of masks that have to be read, if any.

    Returns:
        int64, shape (number of masks, num_classes).
    """
    folder = os.path.commonpath([os.path.abspath(path) for path in mask_paths])  # noqa: PTH100
    name = hashlib.sha256(json.dumps([folder, rules, num_classes]).encode()).hexdigest()[:16]
    path = cache_dir() / f"classes-{name}.json.gz"
    states = [_state(mask_path) for mask_path in mask_paths]
    with _alone(path.with_suffix(".lock")):
        known = _load(path)
        new = [row for row, mask in enumerate(mask_paths) if known.get(mask, [None])[0] != states[row]]
        if new:
            on_read(len(new))
            found = count_masks(read, [items[row] for row in new], num_cpus() if len(new) > _FEW_MASKS else 1)
            for row, histogram in zip(new, found, strict=True):
                held = np.flatnonzero(histogram[:num_classes])
                known[mask_paths[row]] = [states[row], [[int(i), int(histogram[i])] for i in held]]
            _save(path, known)
    counts = np.zeros((len(items), num_classes), np.int64)
    for row, mask in enumerate(mask_paths):
        for train_id, pixels in known[mask][1]:
            counts[row, train_id] = pixels
    return counts


def _state(path: str) -> list[int]:
    status = Path(path).stat()
    return [status.st_size, status.st_mtime_ns]


def _load(path: Path) -> dict[str, list]:
    try:
        content = json.loads(gzip.decompress(path.read_bytes()))
        return dict(content["masks"]) if content["version"] == _VERSION else {}
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError):  # none, or nobody's: the same
        return {}


def _save(path: Path, entries: dict[str, list]) -> None:
    content = json.dumps({"version": _VERSION, "masks": entries}, separators=(",", ":"))
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(gzip.compress(content.encode(), 1))
    except OSError:  # a full or read-only disk costs time only
        pass


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock file that processes of this machine agree on, if there can be one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError:
        yield
        return
    with file:
        with suppress(OSError):  # some network disks know no locks
            fcntl.flock(file, fcntl.LOCK_EX)  # ends with the file, also when the process is killed
        yield
