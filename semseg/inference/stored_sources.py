"""Find the images that addresses of object storage name."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from semseg.errors import InvalidInputError, MissingInputError
from semseg.inference.manifest import holds_results
from semseg.system.folders import IMAGE_SUFFIXES, absolute_path, natural_key
from semseg.system.objects.addresses import STORAGES, Address, is_address, parse_address
from semseg.system.objects.local_copies import local_file
from semseg.system.objects.object_store import download, exists, list_objects
from semseg.system.path_lists import read_path_list

if TYPE_CHECKING:
    from semseg.inference.sources import LeftOut

_MANIFEST = "manifest.csv"


def is_stored(source: str) -> bool:
    """Return whether an input names objects. A web address does if it ends like an image or a list; else it streams."""
    if not is_address(source):
        return False
    address = parse_address(source)
    return address.scheme in STORAGES or address.suffix.lower() in (*IMAGE_SUFFIXES, ".npy", ".txt")


def is_stored_image(address: Address, suffixes: Sequence[str] = (*IMAGE_SUFFIXES, ".npy")) -> bool:
    """Return whether an address names one image: it ends like one."""
    return address.suffix.lower() in suffixes and not address.key.endswith("/")


def find_stored_images(
    source: str, closed: Collection[Path], left_out: LeftOut, suffixes: Sequence[str]
) -> tuple[Address, list[Address]]:
    """Return the addresses of the images of an input, after the folder that they are named relative to.

    Args:
        source: an object that ends like an image; a list (.txt), which names one image per line, relative to its own
            folder; or else a folder, with all folders below it.
        closed: folders of results, from `absolute_path`.
        left_out: modified: what is left out is added.
        suffixes: of images.

    Raises:
        FileNotFoundError: there is no such object, or no image in the folder.
        ValueError: a pattern, or an object that is no image.
    """
    address = parse_address(source)
    suffix = address.suffix.lower()
    if "*" in address.key:
        raise InvalidInputError(
            f"{address}: patterns are for files on disks; name a folder of the bucket, or a list (.txt)",
            code="E-input-list",
        )
    is_folder = not address.key or address.key.endswith("/")
    if suffix == ".txt" and not is_folder:
        return address.parent, _read_list(address)
    if is_stored_image(address, suffixes):
        if not exists(address):
            raise MissingInputError(f"no image {address}; a folder ends with /", code="E-input-missing")
        return address.parent, [address]
    folder = Address(address.scheme, address.bucket, address.key.rstrip("/"))
    return folder, _list_folder(folder, closed, left_out, suffixes)


def _list_folder(
    folder: Address, closed: Collection[Path], left_out: LeftOut, suffixes: Sequence[str]
) -> list[Address]:
    images, manifests, num_others = [], [], len(left_out.other_files)
    start = len(folder.key) + 1 if folder.key else 0
    root = absolute_path(folder)
    left_out_keys = tuple(f"{path.relative_to(root)}/" for path in closed if path.is_relative_to(root))
    for address, _ in list_objects(folder):
        parts = PurePosixPath(address.key[start:]).parts
        if any(part.startswith(".") for part in parts):
            continue
        if address.key[start:].startswith(left_out_keys):
            continue
        if address.suffix.lower() in suffixes:
            images.append(address)
        else:
            left_out.other_files.append(address)
            if address.name == _MANIFEST and len(parts) > 1:
                manifests.append(address)
    results = [address.parent for address in manifests if _is_of_results(address)]
    left_out.result_folders += results
    below = tuple(f"{result.key}/" for result in results)
    images = [address for address in images if not address.key.startswith(below)]
    if not images:
        others = sorted({Path(path.name).suffix or path.name for path in left_out.other_files[num_others:]})
        hint = f"found only {', '.join(others[:5])}" if others else "there is nothing"
        raise MissingInputError(f"no image in {folder} ({hint}); expected {' '.join(suffixes)}", code="E-input-missing")
    return sorted(images, key=lambda address: natural_key(address.key))


def _is_of_results(manifest: Address) -> bool:
    with tempfile.TemporaryDirectory(prefix="semseg-") as folder:
        download(manifest, Path(folder, _MANIFEST))
        return holds_results(Path(folder))


def _read_list(address: Address) -> list[Address]:
    with local_file(address) as path:
        lines = [line for _, line in read_path_list(path)]
    if not lines:
        raise MissingInputError(
            f"{address} names no image; expected one address per line, or names relative to the list",
            code="E-input-list",
        )
    absolute = next((line for line in lines if line.startswith("/")), None)
    if absolute is not None:
        raise InvalidInputError(
            f"{address} names {absolute}, a file of a disk; expected addresses, or names relative to the list",
            code="E-input-list",
        )
    return [parse_address(line if is_address(line) else f"{address.parent}/{line}") for line in lines]
