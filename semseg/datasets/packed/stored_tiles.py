"""Tiles of a packed set in a storage, read by ranges of bytes, and kept in a cache on the disk of this machine.

What is read and kept is the tile of a photograph together with that of its mask: a crop needs both, and they are
neighbours in the file. The checksums of the index say whether they are what was packed.
"""

from __future__ import annotations

import functools
import hashlib
import math
import os
import warnings
import zlib
from collections.abc import Sequence

import numpy as np

from semseg.errors import InvalidDataError, InvalidInputError
from semseg.system.bounded_cache import BoundedCache
from semseg.system.cache_folder import cache_dir
from semseg.system.objects.addresses import Address
from semseg.system.objects.reading_process import read_ranges

_LIMIT_VARIABLE = "SEMSEG_TILE_CACHE_GB"
_DEFAULT_LIMIT_GB = 50.0
_NUM_HELD = 64  # tiles in memory, at most 16 MiB: RandomCrop looks at the masks of several parts before it takes one


class StoredTiles:
    """The file of tiles of one split; see `semseg.datasets.packed.store`.

    Args:
        address: of the file.
        offsets: of each block in it, and its size.
        checksums: CRC-32 of each block.

    Raises:
        ValueError: the limit of the cache is no number of gigabytes.
    """

    def __init__(self, address: Address, offsets: np.ndarray, checksums: np.ndarray) -> None:
        self.address, self._offsets, self._checksums = address, offsets, checksums
        self._cache = _cache()
        # not the address: sets with the same content share their tiles, and a set that was packed anew has others
        self._name = hashlib.sha256(offsets.tobytes() + checksums.tobytes()).hexdigest()[:24]
        self._is_verified = np.zeros(len(checksums) // 2, bool)  # in the cache, by this process
        self._pairs: dict[int, memoryview] = {}  # that were read last, in this order

    def prepare(self, numbers: Sequence[int]) -> None:
        """Read blocks, and hold them until the next ones are read.

        Raises:
            ValueError: the file is not the one that was packed.
            StorageError: it cannot be read.
        """
        wanted = sorted({number // 2 for number in numbers})
        known = {pair: self._pairs.get(pair) or self._from_cache(pair) for pair in wanted}
        pairs = {pair: content for pair, content in known.items() if content is not None}
        missing = [pair for pair in wanted if pair not in pairs]
        if missing:
            bounds = self._offsets[2 * np.array(missing)], self._offsets[2 * np.array(missing) + 2]
            contents = read_ranges(self.address, *(each.tolist() for each in bounds))
            for pair, content in zip(missing, contents, strict=True):
                if not self._is_whole(pair, content):
                    raise InvalidDataError(
                        f"{self.address} is damaged or was changed, other content than was packed at byte"
                        f" {self._offsets[2 * pair]}: copy the packed set to the storage again, or pack it again",
                        code="E-data-packed",
                    )
                pairs[pair] = memoryview(content)
                self._keep(pair, content)
        others = [item for item in self._pairs.items() if item[0] not in pairs]
        self._pairs = {**dict(others[max(0, len(others) + len(pairs) - _NUM_HELD) :]), **pairs}

    def block(self, number: int) -> memoryview:
        """Return a block, compressed; raises as `prepare`."""
        pair, first = number // 2, self._offsets[number // 2 * 2]
        if pair not in self._pairs:
            self.prepare([number])
        return self._pairs[pair][self._offsets[number] - first : self._offsets[number + 1] - first]

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_pairs": {}}

    def _from_cache(self, pair: int) -> memoryview | None:
        content = self._cache.get(f"{self._name}-{pair}")
        if content is not None and not self._is_verified[pair]:
            if not self._is_whole(pair, content):  # after a power cut, or the disk is faulty
                self._cache.remove(f"{self._name}-{pair}")
                return None
            self._is_verified[pair] = True
        return None if content is None else memoryview(content)

    def _keep(self, pair: int, content: bytes) -> None:
        try:
            self._cache.put(f"{self._name}-{pair}", content)
        except OSError as error:
            _warn_once(f"tiles are not kept in {self._cache.folder} ({error.strerror}), and are read again each time")

    def _is_whole(self, pair: int, content: bytes) -> bool:
        start, middle, end = self._offsets[2 * pair : 2 * pair + 3]
        parts = content[: middle - start], content[middle - start :]
        is_valid = [zlib.crc32(part) for part in parts] == self._checksums[2 * pair : 2 * pair + 2].tolist()
        return len(content) == end - start and is_valid


def _cache() -> BoundedCache:
    text = os.environ.get(_LIMIT_VARIABLE, str(_DEFAULT_LIMIT_GB))
    try:
        limit_gb = float(text)
    except ValueError:
        limit_gb = math.nan
    if limit_gb != 0 and not 1 <= limit_gb < math.inf:
        raise InvalidInputError(
            f"{_LIMIT_VARIABLE} is {text}; expected the largest size of the cache of tiles in gigabytes, 1 or more, or"
            " 0 for none",
            code="E-input-value",
        )
    return BoundedCache(cache_dir() / "tiles", limit_gb * 1e9)


@functools.cache
def _warn_once(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=2)
