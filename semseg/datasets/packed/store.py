"""Read a packed set.

A packed set is a folder with `pack.json`, which is written last, and two files for each split:

* `SPLIT.tiles`: for each picture, for each tile of 256x256 pixels (in rows): an LZ4 block of its photograph (BGR,
  uint8) and one of its mask (train ids, uint8).
* `SPLIT.npz`: `names` (JSON, a path for each picture, relative to the folder), `sizes` (height, width), `first` (number
  of the first block of each picture), `offsets` (of each block in the file of tiles), `checksums` (CRC-32 of each
  compressed block), `facts` (size in bytes, time of change in ns and CRC-32 of the photograph, then of the mask; -1
  without mask; then of the region of interest, if the pictures have one).

A process verifies the checksum of a block when it first reads it, and not again: this takes a quarter of the time of
decompressing it.
LZ4 is decompressed two to three times as fast as Zstandard, and the files are 10 to 25 % larger.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import math
import mmap
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from semseg.datasets.packed.stored_tiles import StoredTiles
from semseg.errors import InvalidDataError, MissingDataError, MissingStorageError
from semseg.system.objects.addresses import Address, is_address, parse_address
from semseg.system.objects.reading_process import read_object, read_size

TILE_PX = 256  # smaller tiles cost more calls, larger ones more pixels beside the crop: little difference
VERSION = 2
MARKER = "pack.json"


@functools.cache
def lz4_block() -> Any:
    """Return the module that compresses tiles.

    Raises:
        ValueError: it is not installed.
    """
    try:
        import lz4.block as module
    except ImportError as error:
        raise InvalidDataError(
            "packed sets need lz4, which is not installed: pip install -e '.[pack]'", code="E-data-package"
        ) from error
    return module


def read_marker(folder: Path | Address) -> dict:
    """Return the content of `pack.json`.

    Raises:
        FileNotFoundError: the folder holds no packed set, or one that is not complete.
        ValueError: another version of this project has written it.
        StorageError: the folder is in a storage, which refused the file.
    """
    path = folder / MARKER
    if isinstance(folder, Path) and not (folder / MARKER).is_file():
        hint = (
            "its packing was interrupted: run the same command again"
            if any(folder.glob("*.partial"))
            else ("make one with tools/dataset.py pack")
        )
        raise MissingDataError(f"{folder} is no packed set; {hint}", code="E-data-packed")
    try:
        content = _read(path)
    except MissingStorageError as error:
        if error.code == "E-storage-no-bucket":
            raise
        raise MissingDataError(
            f"{folder} is no packed set, {MARKER} is missing; copy a packed set there, this file last",
            code="E-data-packed",
        ) from None
    try:
        marker = json.loads(content)
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


def as_folder(folder: str | Path | Address) -> Path | Address:
    """Return the folder of a packed set as what it is: an address, or a path on a disk."""
    return parse_address(folder) if isinstance(folder, Address) or is_address(folder) else Path(folder)


def _read(path: Path | Address) -> bytes:
    return path.read_bytes() if isinstance(path, Path) else read_object(path)


class PackedSplit:
    """One split of a packed set.

    Args:
        folder: of the packed set; a path, or an address such as `s3://bucket/town`.
        split: train, val or test.

    Attributes:
        names: path of each photograph, as it was given when the set was packed.
        moved_names: the same, if they were moved together with the packed set.
        rules: how photographs and masks were read, see `semseg.datasets.packed.rules`.
        facts: of the files, int64, shape (num_pictures, 2 or 3, 3); see above.

    Raises:
        FileNotFoundError: there is no such packed set or split.
        ValueError: its files are damaged.
        StorageError: they are in a storage, which refused them.
    """

    def __init__(self, folder: str | Path | Address, split: str) -> None:
        self.folder, self.split = as_folder(folder), split
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
        index = _read(index_path) if isinstance(index_path, Address) or index_path.is_file() else b""
        if hashlib.sha256(index).hexdigest() != about["index_sha256"]:
            raise self._damaged(f"{split}.npz is not the file that was written")
        with np.load(io.BytesIO(index), allow_pickle=False) as arrays:
            self.sizes, self._first, self._offsets = arrays["sizes"], arrays["first"], arrays["offsets"]
            self._checksums, self.facts = arrays["checksums"], arrays["facts"]
            relative = json.loads(arrays["names"].tobytes())
        self.names = [os.path.normpath(os.path.join(about["folder"], name)) for name in relative]  # noqa: PTH118
        self.moved_names = self.names
        if isinstance(self.folder, Path):
            self.moved_names = [os.path.normpath(self.folder.absolute() / name) for name in relative]
        self._path = self.folder / f"{split}.tiles"
        self._stored: StoredTiles | None = None
        if isinstance(self._path, Address):
            self._stored = StoredTiles(self._path, self._offsets, self._checksums)
            num_bytes = read_size(self._path)
        else:
            num_bytes = self._path.stat().st_size if self._path.is_file() else 0
        if num_bytes != self._offsets[-1]:
            raise self._damaged(f"{split}.tiles is not complete")
        self._bytes: memoryview | None = None
        self._is_verified = np.zeros(len(self._checksums), bool)

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def num_bytes(self) -> int:
        """Size of the tiles on the disk."""
        return int(self._offsets[-1])

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_bytes": None}

    def verify(self) -> None:
        """Read every block.

        Raises:
            ValueError: one is damaged.
        """
        for number in range(len(self._checksums)):
            self._block(number)

    def picture(self, number: int) -> tuple[TiledPicture, TiledPicture]:
        """Return a photograph (BGR) and its mask (train ids), of which parts can be taken."""
        size = int(self.sizes[number][0]), int(self.sizes[number][1])
        first = int(self._first[number])
        return TiledPicture(self, first, (*size, 3)), TiledPicture(self, first + 1, size)

    def tile(self, number: int, num_bytes: int) -> bytes:
        """Return a block, without compression.

        Args:
            number: of the block.
            num_bytes: that it has without compression.

        Raises:
            ValueError: it is damaged.
        """
        block = self._block(number)
        try:
            return lz4_block().decompress(block, uncompressed_size=num_bytes)
        except lz4_block().LZ4BlockError as error:
            raise self._damaged(f"{self._path.name} at byte {self._offsets[number]}: {error}") from error

    def prepare(self, numbers: Sequence[int]) -> None:
        """Read blocks that will be asked for, all at once, if the set is in a storage."""
        if self._stored is not None:
            self._stored.prepare(numbers)

    def _block(self, number: int) -> memoryview:
        if self._stored is not None:
            return self._stored.block(number)
        if self._bytes is None:  # in each process of its own
            assert isinstance(self._path, Path)
            with self._path.open("rb") as file:
                self._bytes = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        start = self._offsets[number]
        block = self._bytes[start : self._offsets[number + 1]]
        if not self._is_verified[number]:
            if zlib.crc32(block) != self._checksums[number]:
                raise self._damaged(f"{self._path.name} at byte {start}: other content than was written")
            self._is_verified[number] = True
        return block

    def _damaged(self, what: str) -> InvalidDataError:
        return InvalidDataError(f"{self.folder} is damaged, {what}: pack it again", code="E-data-packed")


class TiledPicture:
    """A photograph or mask in a packed set; `picture[top:bottom, left:right]` decompresses the tiles of this part.

    Args:
        split: what it belongs to.
        first_block: number of the block of its first tile; every second block belongs to it.
        shape: (height, width) or (height, width, channels).
    """

    def __init__(self, split: PackedSplit, first_block: int, shape: tuple[int, ...]) -> None:
        self._split, self._first, self.shape = split, first_block, shape

    def __getitem__(self, part: tuple[slice, slice]) -> np.ndarray:
        """Return rows and columns, given as two slices without steps; uint8."""
        pixels, tiles = self._tiles(part, self.shape[2:])
        for target, tile in tiles:
            target[:] = tile
        return pixels

    def with_fourth_channel(self, part: tuple[slice, slice]) -> np.ndarray:
        """Return rows and columns of a photograph as BGRA, of which A means nothing."""
        pixels, tiles = self._tiles(part, (4,))
        for target, tile in tiles:
            cv2.cvtColor(tile, cv2.COLOR_BGR2BGRA, dst=target)
        return pixels

    def _tiles(
        self, part: tuple[slice, slice], channels: tuple[int, ...]
    ) -> tuple[np.ndarray, Iterator[tuple[np.ndarray, np.ndarray]]]:
        """Return an array for a part, and for each tile the area of it in this array with the pixels for it."""
        height, width = self.shape[:2]
        top, bottom, _ = part[0].indices(height)
        left, right, _ = part[1].indices(width)
        pixels = np.empty((max(0, bottom - top), max(0, right - left), *channels), np.uint8)
        places = [  # of the tiles: row, column, number of the block
            (row, column, self._first + 2 * (row * math.ceil(width / TILE_PX) + column))
            for row in range(top // TILE_PX, math.ceil(bottom / TILE_PX))
            for column in range(left // TILE_PX, math.ceil(right / TILE_PX))
        ]

        def each() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            self._split.prepare([number for _, _, number in places])
            for row, column, number in places:
                y, x = row * TILE_PX, column * TILE_PX
                from_y, to_y = max(top, y), min(bottom, y + TILE_PX)
                from_x, to_x = max(left, x), min(right, x + TILE_PX)
                shape = min(TILE_PX, height - y), min(TILE_PX, width - x), *self.shape[2:]
                tile = np.frombuffer(self._split.tile(number, math.prod(shape)), np.uint8).reshape(shape)
                yield (
                    pixels[from_y - top : to_y - top, from_x - left : to_x - left],
                    tile[from_y - y : to_y - y, from_x - x : to_x - x],
                )

        return pixels, each()
