"""Read a packed set.

A packed set is a folder with `pack.json`, which is written last, and two files for each split:

* `SPLIT.tiles`: for each picture, for each tile of 256x256 pixels (in rows): a Zstandard frame of its photograph (BGR,
  uint8) and one of its mask (train ids, uint8). Every frame has a checksum, which is verified when it is read.
* `SPLIT.npz`: `names` (JSON, a path for each picture, relative to the folder), `sizes` (height, width), `first` (number
  of the first frame of each picture), `offsets` (of each frame in the file of tiles), `facts` (size in bytes, time of
  change in ns and CRC-32 of the photograph, then of the mask; -1 without mask).
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semseg.errors import InvalidDataError, MissingDataError

TILE_PX = 256
VERSION = 1
MARKER = "pack.json"


def zstandard() -> Any:
    """Return the module that compresses tiles.

    Raises:
        ValueError: it is not installed.
    """
    try:
        import zstandard as module
    except ImportError as error:
        raise InvalidDataError(
            "packed sets need zstandard, which is not installed: pip install -e '.[pack]'", code="E-data-package"
        ) from error
    return module


def num_tiles(size: Sequence[int]) -> int:
    """Return the number of tiles of a picture of this height and width."""
    return math.ceil(size[0] / TILE_PX) * math.ceil(size[1] / TILE_PX)


def read_marker(folder: Path) -> dict:
    """Return the content of `pack.json`.

    Raises:
        FileNotFoundError: the folder holds no packed set, or one that is not complete.
        ValueError: another version of this project has written it.
    """
    path = folder / MARKER
    if not path.is_file():
        hint = (
            "its packing was interrupted: run the same command again"
            if any(folder.glob("*.partial"))
            else ("make one with tools/dataset.py pack")
        )
        raise MissingDataError(f"{folder} is no packed set; {hint}", code="E-data-packed")
    try:
        marker = json.loads(path.read_text())
        if not isinstance(marker, dict) or not isinstance(marker.get("splits", {}), dict):
            raise ValueError("it is no table")
    except ValueError as error:
        raise InvalidDataError(f"{path} is damaged ({error}): pack the set again", code="E-data-packed") from error
    if marker.get("version") != VERSION or "splits" not in marker:
        raise InvalidDataError(
            f"{folder} was packed in format {marker.get('version')}, and this version reads {VERSION}: pack it again",
            code="E-data-packed",
        )
    return marker


class PackedSplit:
    """One split of a packed set.

    Args:
        folder: of the packed set.
        split: train, val or test.

    Attributes:
        names: path of each photograph, as it was given when the set was packed.
        rules: how photographs and masks were read, see `semseg.datasets.packed.rules`.
        facts: of the files, int64, shape (num_pictures, 2, 3); see above.

    Raises:
        FileNotFoundError: there is no such packed set or split.
        ValueError: its files are damaged.
    """

    def __init__(self, folder: str | Path, split: str) -> None:
        self.folder, self.split = Path(folder), split
        marker = read_marker(self.folder)
        if split not in marker["splits"]:
            raise MissingDataError(
                f"{folder} has no split {split}; it has {', '.join(marker['splits'])}", code="E-data-packed"
            )
        about = marker["splits"][split]
        if not isinstance(about, dict) or not {"rules", "folder", "index_sha256"} <= about.keys():
            raise self._damaged(f"{MARKER} does not describe {split}")
        self.rules: dict = about["rules"]
        index_path = self.folder / f"{split}.npz"
        index = index_path.read_bytes() if index_path.is_file() else b""
        if hashlib.sha256(index).hexdigest() != about["index_sha256"]:
            raise self._damaged(f"{split}.npz is not the file that was written")
        with np.load(io.BytesIO(index), allow_pickle=False) as arrays:
            self.sizes, self._first, self._offsets = arrays["sizes"], arrays["first"], arrays["offsets"]
            self.facts = arrays["facts"]
            relative = json.loads(arrays["names"].tobytes())
        self._path = self.folder / f"{split}.tiles"
        if not self._path.is_file() or self._path.stat().st_size != self._offsets[-1]:
            raise self._damaged(f"{split}.tiles is not complete")
        self.names = [os.path.normpath(os.path.join(about["folder"], name)) for name in relative]  # noqa: PTH118
        self.moved_names = [os.path.normpath(self.folder.absolute() / name) for name in relative]
        self._bytes: mmap.mmap | None = None
        self._decompressor: Any = None

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def num_bytes(self) -> int:
        """Size of the tiles on the disk."""
        return int(self._offsets[-1])

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_bytes": None, "_decompressor": None}

    def verify(self) -> None:
        """Read every tile.

        Raises:
            ValueError: one is damaged.
        """
        for number in range(len(self._offsets) - 1):
            self.read_frame(number)

    def picture(self, number: int) -> tuple[TiledPicture, TiledPicture]:
        """Return a photograph (BGR) and its mask (train ids), of which parts can be taken."""
        size = int(self.sizes[number][0]), int(self.sizes[number][1])
        first = int(self._first[number])
        return TiledPicture(self, first, (*size, 3)), TiledPicture(self, first + 1, size)

    def read_frame(self, number: int) -> bytes:
        """Return a frame, without compression.

        Raises:
            ValueError: it is damaged.
        """
        if self._bytes is None:  # in each process of its own
            with self._path.open("rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._decompressor = zstandard().ZstdDecompressor()
        start, end = self._offsets[number], self._offsets[number + 1]
        try:
            return self._decompressor.decompress(memoryview(self._bytes)[start:end])
        except zstandard().ZstdError as error:
            raise self._damaged(f"{self._path.name} at byte {start}: {error}") from error

    def _damaged(self, what: str) -> InvalidDataError:
        return InvalidDataError(f"{self.folder} is damaged, {what}: pack it again", code="E-data-packed")


class TiledPicture:
    """A photograph or mask in a packed set; `picture[top:bottom, left:right]` decompresses the tiles of this part.

    Args:
        split: what it belongs to.
        first_frame: number of the frame of its first tile; every second frame belongs to it.
        shape: (height, width) or (height, width, channels).
    """

    def __init__(self, split: PackedSplit, first_frame: int, shape: tuple[int, ...]) -> None:
        self._split, self._first, self.shape = split, first_frame, shape

    def __getitem__(self, part: tuple[slice, slice]) -> np.ndarray:
        """Return rows and columns, given as two slices without steps; uint8."""
        height, width, *channels = self.shape
        top, bottom, _ = part[0].indices(height)
        left, right, _ = part[1].indices(width)
        pixels = np.empty((max(0, bottom - top), max(0, right - left), *channels), np.uint8)
        tiles_per_row = math.ceil(width / TILE_PX)
        for row in range(top // TILE_PX, math.ceil(bottom / TILE_PX)):
            for column in range(left // TILE_PX, math.ceil(right / TILE_PX)):
                y, x = row * TILE_PX, column * TILE_PX
                shape = min(TILE_PX, height - y), min(TILE_PX, width - x), *channels
                content = self._split.read_frame(self._first + 2 * (row * tiles_per_row + column))
                tile = np.frombuffer(content, np.uint8).reshape(shape)
                from_y, to_y = max(top, y), min(bottom, y + shape[0])
                from_x, to_x = max(left, x), min(right, x + shape[1])
                pixels[from_y - top : to_y - top, from_x - left : to_x - left] = tile[
                    from_y - y : to_y - y, from_x - x : to_x - x
                ]
        return pixels
