"""Results in object storage: each file is written on this machine, sent when it is complete, and removed here.

The tables of a run grow by a row per image, which objects cannot. They are sent from time to time and at the end, so a
process that is killed leaves tables without its last images; the next run with `skip_existing` segments these again.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from semseg.errors import InvalidInputError, MissingStorageError
from semseg.inference.georeference import world_file_of
from semseg.inference.manifest import Row
from semseg.inference.recorded_outputs import outputs_of
from semseg.inference.run_record import RECORD_NAME
from semseg.system.objects.addresses import Address
from semseg.system.objects.object_store import download, list_objects, upload

TABLES = ("manifest.csv", "stats.csv", RECORD_NAME)
_SENT_EVERY_S = 30.0
_SHARE_OF_TIME = 20  # sending tables takes at most this part of the time


class StoredResults:
    """Sends the results of a run to an address; its methods may be called from any thread.

    Args:
        address: the folder of the results.
        folder: where they are written first.
    """

    def __init__(self, address: Address, folder: Path) -> None:
        self.address, self._folder = address, folder
        self._sizes: dict[str, int] = {}
        self._lock = threading.Lock()
        self._next_time = time.monotonic() + _SENT_EVERY_S

    def fetch_tables(self) -> None:
        """Copy the tables of an earlier run to the folder.

        Raises:
            StorageError: the storage cannot be read.
        """
        for name in TABLES:
            try:
                download(self.address / name, self._folder / name)
            except MissingStorageError as error:
                if error.code == "E-storage-no-bucket":
                    raise

    def list_sizes(self) -> None:
        """Read which results there are, for `whole_outputs`."""
        start = len(self.address.key.rstrip("/")) + 1 if self.address.key else 0
        self._sizes = {address.key[start:]: size for address, size in list_objects(self.address)}

    def whole_outputs(self, row: Row) -> set[Path]:
        """Return the outputs of a row that have the size that they had when they were written; see `manifest`."""
        return {self._folder / name for name, size in outputs_of(row) if str(self._sizes.get(name)) == size}

    def send(self, paths: Iterable[Path]) -> None:
        """Send the results of an image, and their world files.

        Raises:
            StorageError: one cannot be written.
        """
        for path in _with_world_files(paths):
            upload(path, self.address / path.relative_to(self._folder))

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove results that were sent from the folder, and send the tables if it is time."""
        for path in list(_with_world_files(paths)):
            path.unlink()
        if time.monotonic() > self._next_time and self._lock.acquire(blocking=False):
            try:
                self._send_tables()
            finally:
                self._lock.release()

    def send_tables(self) -> None:
        """Send the tables as they are now.

        Raises:
            StorageError: they cannot be written.
        """
        with self._lock:
            self._send_tables()

    def _send_tables(self) -> None:
        started = time.monotonic()
        for name in TABLES:
            if (self._folder / name).is_file():
                upload((self._folder / name).read_bytes(), self.address / name)
        now = time.monotonic()
        self._next_time = now + max(_SENT_EVERY_S, _SHARE_OF_TIME * (now - started))


@contextlib.contextmanager
def local_folder(out_dir: Path | Address) -> Generator[tuple[Path, StoredResults | None]]:
    """Yield the folder that results are written to, and what sends them from there if `out_dir` is an address."""
    if isinstance(out_dir, Path):
        yield out_dir, None
        return
    with TemporaryDirectory(prefix="semseg-results-") as folder:
        try:
            yield Path(folder), StoredResults(out_dir, Path(folder))
        except InvalidInputError as error:  # about results of earlier runs: they are at the address
            raise InvalidInputError(str(error).replace(folder, str(out_dir)), code=error.code) from None


def _with_world_files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield path
        if (world := world_file_of(path)).is_file():
            yield world
