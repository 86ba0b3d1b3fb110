"""Local copies of objects: for a moment, or in the cache as long as the object stays the same."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

from semseg.errors import InvalidStorageError
from semseg.system.atomic import atomic_path
from semseg.system.cache_folder import cache_dir
from semseg.system.objects.addresses import Address, parse_address
from semseg.system.objects.object_store import download, object_facts


@contextlib.contextmanager
def local_file(path: Path | Address) -> Generator[Path]:
    """Yield a file on this machine: the path itself, or a copy of an object, which is removed after the block.

    Raises:
        StorageError: there is no such object, or it cannot be read.
    """
    if isinstance(path, Path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="semseg-") as folder:
        copy = Path(folder, f"object{path.suffix}")
        download(path, copy)
        yield copy


def cached_file(address: Address) -> Path:
    """Return a copy of an object in the cache folder, with its name; it is downloaded if it is new or has changed.

    Copies of earlier versions of the object are removed.

    Raises:
        StorageError: there is no such object, or it cannot be read.
    """
    facts = object_facts(address)
    folder = cache_dir() / "objects" / _digest(str(address))
    path = folder / _digest(f"{facts.num_bytes} {facts.version}") / (address.name or "object")
    if path.is_file() and path.stat().st_size == facts.num_bytes:
        return path
    with atomic_path(path) as temporary:
        download(address, temporary)
    for other in folder.iterdir():
        if other != path.parent:
            shutil.rmtree(other, ignore_errors=True)
    return path


def cached_model(text: str | Path) -> Path:
    """Return a copy in the cache folder of a checkpoint, an exported model, or a config.

    Raises:
        StorageError: there is no such object, or it cannot be read; or a config, which is executed, comes from http://,
            where others can change it on its way.
    """
    address = parse_address(text)
    if address.scheme == "http" and address.suffix == ".py":
        raise InvalidStorageError(
            f"{address}: a config is executed, and http:// does not protect it on its way; use https://",
            code="E-storage-address",
        )
    return cached_file(address)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:24]
