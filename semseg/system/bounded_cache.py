"""A cache of small files whose size is bounded, and which all processes of a machine share.

The files are spread over folders, each of which has its part of the limit. So a process finds out with one short
listing what it has to remove, and needs neither a lock nor a process that keeps the books.
"""

from __future__ import annotations

import contextlib
import os
import time
import zlib
from pathlib import Path

NUM_FOLDERS = 256
_CHECKED_AFTER = 1 / 16  # of the limit of a folder, written by this process: then it is listed again
_KEPT = 3 / 4  # of the limit of a folder, when files are removed
_TOUCHED_EVERY_S = 60


class BoundedCache:
    """Files by name; in each of its folders, those that were not read for the longest time are removed first.

    A file appears when it is complete. Nothing is synced to the disk: who reads it checks the content.

    Args:
        folder: of the files; nothing else is in it.
        limit_bytes: of all files together. Many processes that write at the same moment may exceed it for this moment.
    """

    def __init__(self, folder: Path, limit_bytes: float) -> None:
        self.folder, self._folder_limit = folder, limit_bytes / NUM_FOLDERS
        self._num_written: dict[Path, int] = {}  # bytes, since this process has listed the folder

    def get(self, name: str) -> bytes | None:
        """Return the content of a file, or None if it is not there."""
        path = self._path(name)
        try:
            with path.open("rb", buffering=0) as file:
                if time.time() - os.fstat(file.fileno()).st_mtime > _TOUCHED_EVERY_S:
                    os.utime(path)
                return file.read()
        except OSError:  # also: another process has removed it
            return None

    def put(self, name: str, content: bytes) -> None:
        """Keep a content, unless it is too large for the limit.

        Raises:
            OSError: the disk is full, or the folder cannot be written to.
        """
        path = self._path(name)
        if len(content) > self._folder_limit * _KEPT:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if self._num_written.get(path.parent, self._folder_limit) >= self._folder_limit * _CHECKED_AFTER:
            self._make_room(path.parent)
        temporary = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        self._num_written[path.parent] += len(content)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with contextlib.suppress(OSError):
            self._path(name).unlink()

    def _path(self, name: str) -> Path:
        return self.folder / f"{zlib.crc32(name.encode()) % NUM_FOLDERS:02x}" / name

    def _make_room(self, folder: Path) -> None:
        files = []
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError):  # removed by another process
                status = entry.stat()
                files.append((status.st_mtime, status.st_size, entry.path))
        num_bytes = sum(size for _, size, _ in files)
        if num_bytes > self._folder_limit * (_KEPT + _CHECKED_AFTER):
            for _, size, path in sorted(files):
                if num_bytes <= self._folder_limit * _KEPT:
                    break
                with contextlib.suppress(OSError):
                    Path(path).unlink()
                num_bytes -= size
        self._num_written[folder] = 0
