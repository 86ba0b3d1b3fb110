"""Read, list and write objects with obstore, which repeats requests that failed and goes on where a body was cut."""

from __future__ import annotations

import contextlib
import os
import urllib.parse
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from semseg.errors import InvalidStorageError, MissingStorageError
from semseg.system.objects.addresses import STORAGES, Address
from semseg.system.objects.failures import NO_CREDENTIALS, as_storage_error, no_credentials

_PART_BYTES = 8 << 20  # of a body that are in memory; also of a multipart upload
_GAP_BYTES = 64 << 10  # between two parts of an object, that are read too to save a request
_CREDENTIALS_LAST = timedelta(minutes=10)  # then botocore is asked again, which renews temporary ones


@dataclass(frozen=True)
class Patience:
    """How long a request is tried.

    Cut connections, pauses in a body, and the answers 429 and 5xx are tried again, after pauses that double and vary at
    random; a body goes on at the byte where it was cut. Other answers, such as 403 and 404, are not tried again.

    Attributes:
        connect_s: for a connection.
        pause_s: without a byte.
        request_s: for one whole request.
        num_retries: after the first request.
        first_wait_s, longest_wait_s: before a retry.
        total_s: after that, no retry begins.
    """

    connect_s: float = 10
    pause_s: float = 30
    request_s: float = 900
    num_retries: int = 6
    first_wait_s: float = 0.2
    longest_wait_s: float = 10
    total_s: float = 240


PATIENCE = Patience()


class ObjectFacts(NamedTuple):
    """What a storage says about an object.

    Attributes:
        num_bytes: its size.
        version: changes with its content: the ETag, or the time of the last change.
    """

    num_bytes: int
    version: str


def object_facts(address: Address) -> ObjectFacts:
    """Return the size and the version of an object, without reading it.

    Raises:
        StorageError: it is not there, or cannot be read.
    """
    with _explained(address):
        store, key = _open(address)
        meta = store.get(key).meta  # not HEAD, whose errors have no reason
    return ObjectFacts(meta["size"], meta["e_tag"] or str(meta["last_modified"]))


def exists(address: Address) -> bool:
    """Return whether there is an object.

    Raises:
        StorageError: that cannot be said, for example because there is no such bucket.
    """
    try:
        object_facts(address)
    except MissingStorageError as error:
        if error.code == "E-storage-no-bucket":
            raise
        return False
    return True


def check_storage(folder: Address) -> None:
    """Raise an error if a folder in a storage cannot be listed; a folder without objects is none.

    Raises:
        StorageError: it cannot, or it is on a web server, where nothing can be written.
    """
    next(list_objects(folder), None)


def download(address: Address, path: Path) -> None:
    """Write an object to a file, in parts of some megabytes.

    Raises:
        StorageError: it is not there, or cannot be read.
        OSError: the file cannot be written.
    """
    with _explained(address):
        store, key = _open(address)
        parts = iter(store.get(key).stream(_PART_BYTES))
    with path.open("wb") as file:
        while True:
            with _explained(address):
                part = next(parts, None)
            if part is None:
                return
            file.write(part)


def read_ranges(address: Address, starts: list[int], ends: list[int]) -> list[bytes]:
    """Return parts of an object, from each start up to its end; they are read at the same time.

    Raises:
        StorageError: it is not there, or cannot be read.
    """
    with _explained(address):
        store, key = _open(address)
        return [bytes(part) for part in store.get_ranges(key, starts=starts, ends=ends, coalesce=_GAP_BYTES)]


def upload(source: Path | bytes, address: Address) -> None:
    """Write a file, or bytes, to an object, which appears when it is complete; it replaces one of the same name.

    Raises:
        StorageError: it cannot be written.
    """
    if address.scheme not in STORAGES:
        raise InvalidStorageError(
            f"{address}: nothing can be written to a web address; expected {', '.join(f'{s}://' for s in STORAGES)}",
            code="E-storage-address",
        )
    with _explained(address):
        store, key = _open(address)
        store.put(key, source, chunk_size=_PART_BYTES)


def list_objects(folder: Address) -> Iterator[tuple[Address, int]]:
    """Yield the objects below a folder, with their sizes in bytes; one page of names is in memory.

    Raises:
        StorageError: it cannot be listed. A folder without objects is empty, and no error.
    """
    if folder.scheme not in STORAGES:
        raise InvalidStorageError(
            f"{folder}: a web address cannot be listed; name single files, or a list of them (.txt)",
            code="E-storage-address",
        )
    prefix = folder.key.rstrip("/")
    with _explained(folder):
        store = _open(folder)[0]
        pages = iter(store.list(prefix or None, chunk_size=1000))
    while True:
        with _explained(folder):
            page = next(pages, None)
        if page is None:
            return
        for meta in page:
            yield Address(folder.scheme, folder.bucket, meta["path"]), meta["size"]


@contextlib.contextmanager
def _explained(address: Address) -> Generator[None]:
    """Raise an error of obstore as a sentence; its own text may hold keys and signatures."""
    try:
        yield
    except (InvalidStorageError, MissingStorageError):
        raise
    except Exception as error:
        raise as_storage_error(error, address) from None


def _open(address: Address) -> tuple[Any, str]:
    """Return the store of an address, and the key in it."""
    import_obstore(address)
    names = ("AWS_", "GOOGLE_", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy")
    environment = tuple(sorted(item for item in os.environ.items() if item[0].startswith(names)))
    if address.query:
        url = f"{address.scheme}://{address.bucket}/{urllib.parse.quote(address.key)}?{address.query}"
        return _web_store(url, PATIENCE), ""
    if address.scheme == "memory":
        return _memory_store(address.bucket), address.key
    return _store(address.scheme, address.bucket, environment, PATIENCE), address.key


def import_obstore(address: Address | str) -> None:
    """Raise a ValueError that names the extra if obstore is not installed."""
    try:
        import obstore  # noqa: F401
    except ImportError:
        raise InvalidStorageError(
            f"{address} is read and written by obstore, which is not installed: pip install -e '.[s3]'",
            code="E-storage-package",
        ) from None


@cache
def _memory_store(bucket: str) -> Any:
    """Return the store of a bucket that only this process has."""
    from obstore.store import MemoryStore

    return MemoryStore()


@lru_cache(maxsize=32)
def _store(scheme: str, bucket: str, environment: tuple[tuple[str, str], ...], patience: Patience) -> Any:
    """Return the store of a bucket; `environment` is what it is configured by, besides the files of the user."""
    from obstore.store import GCSStore, S3Store

    variables = dict(environment)
    if scheme == "gs":
        return GCSStore(bucket, **_options(patience, allow_http=True))
    if scheme != "s3":
        return _web_store(f"{scheme}://{bucket}", patience)
    endpoint = variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL") or ""
    config: dict[str, Any] = {}
    has_keys = all(variables.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    if not has_keys and variables.get("AWS_SKIP_SIGNATURE", "").lower() not in ("1", "true"):
        config = _with_profile(bucket)
    return S3Store(bucket, **config, **_options(patience, allow_http=endpoint.startswith("http://")))


def _with_profile(bucket: str) -> dict[str, Any]:
    """Return the configuration of an S3 store with the credentials that the AWS command line finds.

    Raises:
        PermissionError: there are none.
    """
    try:
        import botocore.session
    except ImportError:
        raise InvalidStorageError(
            f"s3://{bucket}: credentials are found by botocore, which is not installed: pip install -e '.[s3]'",
            code="E-storage-package",
        ) from None
    session = botocore.session.Session()

    def find() -> dict[str, Any]:
        found = session.get_credentials()
        if found is None:
            raise PermissionError(NO_CREDENTIALS)
        keys = found.get_frozen_credentials()
        expires = datetime.now(timezone.utc) + _CREDENTIALS_LAST
        token = {"token": keys.token} if keys.token else {}
        return {
            "access_key_id": keys.access_key,
            "secret_access_key": keys.secret_key,
            "expires_at": expires,
            **token,
        }

    try:
        find()
        region, endpoint = session.get_config_variable("region"), session.get_config_variable("endpoint_url")
    except Exception as error:  # a profile that does not exist, a login that has ended, ...
        raise no_credentials(bucket, type(error).__name__) from None
    config = {"credential_provider": find}
    return config | ({"region": region} if region else {}) | ({"endpoint": endpoint} if endpoint else {})


def _web_store(url: str, patience: Patience) -> Any:
    from obstore.store import HTTPStore

    return HTTPStore(url, **_options(patience, allow_http=url.startswith("http://")))


def _options(patience: Patience, *, allow_http: bool) -> dict[str, Any]:
    return {
        "client_options": {
            "allow_http": allow_http,
            "connect_timeout": timedelta(seconds=patience.connect_s),
            "read_timeout": timedelta(seconds=patience.pause_s),
            "timeout": timedelta(seconds=patience.request_s),
        },
        "retry_config": {
            "max_retries": patience.num_retries,
            "retry_timeout": timedelta(seconds=patience.total_s),
            "backoff": {
                "init_backoff": timedelta(seconds=patience.first_wait_s),
                "max_backoff": timedelta(seconds=patience.longest_wait_s),
                "base": 2,
            },
        },
    }
