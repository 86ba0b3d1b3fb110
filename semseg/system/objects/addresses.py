"""Addresses of objects. They hold no secrets when they are printed: the query of a signed address is kept apart."""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from semseg.errors import InvalidStorageError

STORAGES = ("s3", "gs", "memory")
"""Schemes of buckets, which can be listed and written to."""
SCHEMES = (*STORAGES, "https", "http")
_START = re.compile(rf"({'|'.join(SCHEMES)}):/+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """An object, or a folder of objects. Its text has no query.

    Attributes:
        scheme: one of `SCHEMES`, lower case.
        bucket: its name; the host of a web address.
        key: the name of the object in the bucket, with `/` between folders; empty for the whole bucket.
        query: of a web address; it may be a signature.
    """

    scheme: str
    bucket: str
    key: str
    query: str = field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"

    def __truediv__(self, name: str | Path) -> Address:
        """Return the address of an object or a folder below this folder."""
        key = f"{self.key.rstrip('/')}/{PurePosixPath(name)}".lstrip("/")
        return Address(self.scheme, self.bucket, key)

    @property
    def name(self) -> str:
        """The last part of the key."""
        return PurePosixPath(self.key).name

    @property
    def suffix(self) -> str:
        """Of the name, with its dot."""
        return PurePosixPath(self.key).suffix

    @property
    def parent(self) -> Address:
        """The folder that the object is in."""
        folder = PurePosixPath(self.key).parent.as_posix()
        return Address(self.scheme, self.bucket, "" if folder == "." else folder)


def is_address(text: object) -> bool:
    """Return whether a text, a path or an address names something in object storage or on a web server.

    A path that was made of an address has lost a slash (`s3:/bucket/a.jpg`), and counts.
    """
    return isinstance(text, Address) or _START.match(str(text)) is not None


def parse_address(text: str | Path | Address) -> Address:
    """Return the address that a text is.

    Raises:
        ValueError: it has no bucket, or parts that no object can have; or a web address holds a password.
    """
    if isinstance(text, Address):
        return text
    start = _START.match(str(text))
    if start is None:
        raise InvalidStorageError(
            f"{text} is no address; expected one that begins with {', '.join(f'{name}://' for name in SCHEMES)}",
            code="E-storage-address",
        )
    scheme, rest = start[1].lower(), str(text)[start.end() :]
    if str(text)[start.end(1) :].startswith(":///"):  # no bucket
        rest = f"/{rest}"
    bucket, _, key = rest.partition("/")
    query = ""
    if scheme not in STORAGES:
        if "@" in bucket:
            raise InvalidStorageError(
                f"an address at {bucket.rpartition('@')[2]} holds a user name or a password; leave them out",
                code="E-storage-address",
            )
        key, _, query = key.partition("?")
        key = urllib.parse.unquote(key)
    address = Address(scheme, bucket, key, query)
    if not bucket or re.search(r"[?#\s\\]", bucket):
        raise InvalidStorageError(
            f"{scheme}:// needs a bucket or a host after it, as in {scheme}://bucket/photos", code="E-storage-address"
        )
    if {".", ".."} & set(key.split("/")) or "\0" in key:
        raise InvalidStorageError(f"{address}: no object has . or .. in its name", code="E-storage-address")
    return address


def comparable_path(address: str | Path | Address) -> Path:
    """Return a path that stands for an address in comparisons and relative names: `/s3/bucket/key`."""
    start = _START.match(str(address))
    assert start is not None
    rest = str(address)[start.end() :]
    return Path("/", start[1].lower(), rest if start[1].lower() in STORAGES else rest.partition("?")[0])


def refuse_address(path: str | Path | Address, name: str) -> None:
    """Raise a ValueError if a path is an address, where only files on disks can be used.

    Args:
        path: as it was given.
        name: of the option or the key that has it.
    """
    if is_address(path):
        raise InvalidStorageError(
            f"`{name}` {parse_address(path)}: object storage is not supported here; copy it to a disk, and name the"
            " path there",
            code="E-storage-here",
        )
