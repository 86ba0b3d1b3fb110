"""The files of a split while it is packed.

Pictures are appended to `SPLIT.partial`, and a line for each to `SPLIT.journal`, whose first line holds the format
and the rules of reading. Packing that was interrupted is continued after the last line whose tiles are on the disk.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from semseg.datasets.packed.store import MARKER, VERSION, read_marker
from semseg.errors import InvalidDataError, MissingDataError
from semseg.system.atomic import atomic_path, sync_folder, write_durably

_SYNC_BYTES = 256 << 20  # how much may have to be packed again after a power cut


class Picture(NamedTuple):
    """A packed picture, as it is written."""

    blocks: list[bytes]
    size: tuple[int, int]
    facts: list[list[int]]


class Packed(NamedTuple):
    """What `pack_split` has done.

    Attributes:
        num_pictures, num_bytes: of the packed split.
        num_source_bytes: of the files of photographs and masks.
        is_new: whether something was packed; False if the split was there already.
    """

    num_pictures: int
    num_bytes: int
    num_source_bytes: int
    is_new: bool


class PartialFiles:
    """The files of a split while it is packed.

    Args:
        folder: of the packed set.
        split: its name.
        rules: of reading.
    """

    def __init__(self, folder: Path, split: str, rules: dict[str, str]) -> None:
        self._folder, self._split, self._rules = folder, split, rules
        self._tiles_path, self._journal_path = folder / f"{split}.partial", folder / f"{split}.journal"
        self._header = {"version": VERSION, "rules": rules}  # of the journal
        self._lines: list[dict] = []  # of all pictures
        self._num_written_lines = 0
        self._num_bytes = self._num_synced_bytes = 0

    def resume(self, names: list[str], facts: list[list[list[int]]]) -> int:
        """Read the journal of an interrupted packing, and return how many of these pictures are packed.

        Args:
            names: of all pictures of the split.
            facts: of their files now, without checksums.
        """
        lines = []
        if self._journal_path.is_file() and self._tiles_path.is_file():
            header, *rest = self._journal_path.read_text().splitlines() or [""]
            if header == json.dumps(self._header):
                for line, name, fact in zip(rest, names, facts, strict=False):
                    try:
                        entry = json.loads(line)
                    except ValueError:  # cut off
                        break
                    if entry["name"] != name or [part[:2] for part in entry["facts"]] != [part[:2] for part in fact]:
                        break
                    if entry["end"] > self._tiles_path.stat().st_size:
                        break
                    lines.append(entry)
        self._lines = lines
        self._num_bytes = self._num_synced_bytes = lines[-1]["end"] if lines else 0
        self._tiles = self._tiles_path.open("r+b" if lines else "wb")
        self._tiles.truncate(self._num_bytes)
        self._tiles.seek(self._num_bytes)
        with atomic_path(self._journal_path) as path:
            path.write_text("".join(f"{json.dumps(entry)}\n" for entry in (self._header, *lines)))
        self._num_written_lines = len(lines)
        return len(lines)

    def append(self, name: str, picture: Picture) -> None:
        """Add a picture."""
        for block in picture.blocks:
            self._tiles.write(block)
        self._num_bytes += sum(map(len, picture.blocks))
        entry = {"name": name, "size": picture.size, "facts": picture.facts, "end": self._num_bytes}
        self._lines.append({**entry, "blocks": [(len(block), zlib.crc32(block)) for block in picture.blocks]})
        if self._num_bytes - self._num_synced_bytes >= _SYNC_BYTES:
            self.sync()

    def sync(self) -> None:
        """Write everything to the disk: first the tiles, then the lines that count on them."""
        self._tiles.flush()
        os.fsync(self._tiles.fileno())
        with self._journal_path.open("a") as journal:
            journal.writelines(f"{json.dumps(entry)}\n" for entry in self._lines[self._num_written_lines :])
        self._num_written_lines, self._num_synced_bytes = len(self._lines), self._num_bytes

    def finish(self) -> Packed:
        """Write the index and `pack.json`, and remove the journal."""
        self._tiles.close()
        lengths, checksums = np.array([block for entry in self._lines for block in entry["blocks"]], np.int64).T
        arrays = {
            "names": np.frombuffer(json.dumps([entry["name"] for entry in self._lines]).encode(), np.uint8),
            "sizes": np.array([entry["size"] for entry in self._lines], np.int32),
            "first": np.cumsum([0, *(len(entry["blocks"]) for entry in self._lines)]),
            "offsets": np.cumsum([0, *lengths]),
            "checksums": checksums.astype(np.uint32),
            "facts": np.array([entry["facts"] for entry in self._lines], np.int64),
        }
        index = io.BytesIO()
        np.savez_compressed(index, **arrays)
        marker_path = self._folder / MARKER
        marker: dict[str, Any]
        try:
            marker = read_marker(self._folder)
        except (InvalidDataError, MissingDataError):
            marker = {"version": VERSION, "splits": {}}
        if marker["splits"].pop(self._split, None) is not None:  # it is replaced: for a moment there is none
            write_durably(marker_path, json.dumps(marker, indent=1).encode())
        write_durably(self._folder / f"{self._split}.npz", index.getvalue())
        self._tiles_path.replace(self._folder / f"{self._split}.tiles")
        sync_folder(self._folder)
        marker["splits"][self._split] = {
            "pictures": len(self._lines),
            "folder": str(self._folder.absolute()),
            "rules": self._rules,
            "index_sha256": hashlib.sha256(index.getvalue()).hexdigest(),
        }
        write_durably(marker_path, json.dumps(marker, indent=1).encode())
        self._journal_path.unlink()
        num_source_bytes = int(arrays["facts"][..., 0].clip(0).sum())
        return Packed(len(self._lines), self._num_bytes, num_source_bytes, is_new=True)
