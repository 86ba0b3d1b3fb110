"""A cache of what is known of files that have not changed since they were read."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import os
import time
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from semseg.datasets.file_facts import ImageFacts, MaskFacts, read_image_facts
from semseg.datasets.roi_facts import RoiFacts
from semseg.system.atomic import atomic_path
from semseg.system.cache_folder import cache_dir
from semseg.system.machine import num_cpus
from semseg.system.worker_pool import run_all

_VERSION = 4  # of the meaning of the facts
_KINDS: dict[str, type] = {"images": ImageFacts, "masks": MaskFacts, "rois": RoiFacts}
_KEPT_S = 90 * 24 * 3600
_PER_PROCESS = 32  # with fewer files, starting another process costs more time than it saves
_MAX_COLORS = 1 << 13  # a mask with more is read again each time


def cache_path(image_paths: Iterable[Path]) -> Path:
    """Return the file of the facts of a split; its name is made from the common folder of the images."""
    folders = sorted({os.path.abspath(path.parent) for path in image_paths})  # noqa: PTH100
    name = hashlib.sha256(os.path.commonpath(folders).encode()).hexdigest()[:16]
    return cache_dir() / f"check-{name}.json.gz"


class FactsCache:
    """Facts of the files of one split, by path, size and time of change.

    A cache that cannot be read, or that another version wrote, is treated as empty.

    Args:
        image_paths: of the split, see `cache_path`.
    """

    def __init__(self, image_paths: Iterable[Path]) -> None:
        self._path = cache_path(image_paths)
        self._entries: dict[str, dict[str, list]] = {kind: {} for kind in _KINDS}
        self._changed = False
        try:
            content = json.loads(gzip.decompress(self._path.read_bytes()))
            if content["version"] == _VERSION:
                self._entries = {kind: dict(content[kind]) for kind in _KINDS}
        except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError):
            pass

    def find(self, kind: str, *paths: Path) -> Any:
        """Return the facts of `images`, `masks` or `rois`; None: not known, or a file has changed.

        Args:
            kind: of the facts.
            paths: the file; of a region of interest, the file and its mask, if there is one.
        """
        entry = self._entries[kind].get(_key(paths))
        try:
            if entry is None or entry[0] != _identity(paths):
                return None
            return _KINDS[kind](*(tuple(value) if isinstance(value, list) else value for value in entry[1]))
        except (OSError, TypeError, IndexError):
            return None

    def add(self, kind: str, *paths: Path, facts: ImageFacts | MaskFacts | RoiFacts) -> None:
        """Store facts, see `find`, unless a file does not exist, or is a mask of very many colours."""
        if not isinstance(facts, ImageFacts) and len(facts.values) > _MAX_COLORS:
            return
        try:
            self._entries[kind][_key(paths)] = [_identity(paths), list(facts)]
            self._changed = True
        except OSError:
            pass

    def save(self) -> None:
        """Write the cache, atomically, if something was added, and remove caches that were not written for 90 days."""
        if not self._changed:
            return
        try:
            with atomic_path(self._path) as temporary:
                content = json.dumps({"version": _VERSION, **self._entries}, separators=(",", ":"))
                temporary.write_bytes(gzip.compress(content.encode(), 1))
            for path in self._path.parent.glob("check-*.json.gz"):
                if path.stat().st_mtime < time.time() - _KEPT_S:
                    path.unlink(missing_ok=True)
        except OSError:  # on a full or read-only disk files are only read again
            pass


def read_image_facts_of(paths: Sequence[Path], deep: bool = False) -> list[ImageFacts]:
    """Return the facts of photographs, from the cache as far as it knows them.

    Args:
        paths: of the photographs.
        deep: decode them, for their thumbnails.
    """
    if not paths:
        return []
    cache = FactsCache(paths)
    known = [cache.find("images", path) for path in paths]
    unread = [
        index
        for index, facts in enumerate(known)
        if facts is None or (deep and not facts.thumbnail and not facts.problem and not facts.refusal)
    ]
    num_processes = max(1, min(num_cpus(), len(unread) // _PER_PROCESS))
    read = functools.partial(read_image_facts, deep=deep)
    for index, facts in zip(unread, run_all(read, [paths[i] for i in unread], num_processes), strict=True):
        known[index] = facts
        cache.add("images", paths[index], facts=facts)
    cache.save()
    return known


def _key(paths: Sequence[Path]) -> str:
    return "\n".join(os.path.abspath(path) for path in paths)  # noqa: PTH100


def _identity(paths: Sequence[Path]) -> list[int]:
    return [value for path in paths for value in (path.stat().st_size, path.stat().st_mtime_ns)]
