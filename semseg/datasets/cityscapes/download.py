"""Download Cityscapes: fetch its archives, verify and unpack them, each only once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from semseg.datasets.cityscapes.account import Account
from semseg.datasets.cityscapes.unpack import check_disk, find_lost, format_bytes, unpack
from semseg.errors import InvalidDataError, InvalidInputError, SemsegError

if TYPE_CHECKING:
    from semseg.datasets.cityscapes.download_site import Package, Site

PACKAGES = ("gtFine_trainvaltest", "leftImg8bit_trainvaltest")
"""The packages that the configs need."""

URL = "https://www.cityscapes-dataset.com"
_URL_VARIABLE = "SEMSEG_CITYSCAPES_URL"  # of a server on this machine, for tests

_NUM_TRIES = 5  # consecutive tries without a new byte
_CHUNK_BYTES = 1 << 20


class DownloadError(SemsegError, RuntimeError):
    """A download failed; the message says what is kept and what to do."""

    code = "E-data-download"


class Outcome(NamedTuple):
    """What was done with a package."""

    num_files: int
    is_new: bool  # False: it was there before


def download(
    root: str | Path,
    packages: Sequence[str],
    find_account: Callable[[str], Account],
    *,
    url: str | None = None,
    keep_archives: bool = False,
    on_progress: Callable[[str, int, int], None] | None = None,
    retry_s: float = 2.0,
) -> dict[str, Outcome]:
    """Download packages of Cityscapes and unpack them into `root`.

    Packages that are there already are not downloaded again; if all are there, no connection is made. An interrupted
    download continues where it stopped, within a run and in the next one. An archive in `root` under its own name
    (downloaded with a browser) is used.

    Args:
        root: created if missing; gets `gtFine/`, `leftImg8bit/` and so on.
        packages: names as on the download page, with or without `.zip`.
        find_account: called with the name of the host if something has to be downloaded.
        url: of another server with the same pages.
        keep_archives: whether to keep the archives after unpacking.
        on_progress: called with the current step (such as "downloading gtFine_trainvaltest"), the number of bytes
            done, and the number of all.
        retry_s: seconds to wait before the second try; doubled for each further one.

    Returns:
        Outcomes by package.

    Raises:
        ValueError: an unknown package, too little space on the disk, no account, or an archive that must not
            be unpacked.
        PermissionError: the site rejects the account, or its access to a file.
        ConnectionError: the site does not answer.
        DownloadError: the connection is lost repeatedly, the file is damaged, or it cannot be written.
    """
    root = Path(root)
    on_progress = on_progress or (lambda what, done, total: None)
    names = list(dict.fromkeys(name.removesuffix(".zip") for name in packages))
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root):
        unpacked = {name: find_lost(root, name) for name in names}
        outcomes = {name: Outcome(files[0], False) for name, files in unpacked.items() if files and not files[1]}
        absent = [name for name in names if name not in outcomes]
        if not absent:
            return outcomes
        site, to_download = _sign_in(url or os.environ.get(_URL_VARIABLE) or URL, absent, find_account)
        check_disk(root, _estimate_bytes(root, to_download.values(), keep_archives), ", ".join(to_download))
        for name, package in to_download.items():
            try:
                archive_path = _fetch(site, package, root, on_progress, retry_s)
                num_files = unpack(archive_path, root, lambda *b, name=name: on_progress(f"unpacking {name}", *b))
                if not keep_archives:
                    archive_path.unlink()
            except (ConnectionError, PermissionError, FileExistsError):
                raise
            except OSError as error:  # the disk
                raise DownloadError(
                    f"{name} could not be written to {root}: {error.strerror}; correct that and run this again, "
                    "what is downloaded is kept"
                ) from None
            outcomes[name] = Outcome(num_files, True)
    return {name: outcomes[name] for name in names}


@contextmanager
def _locked(root: Path) -> Generator[None]:
    """Raise an error if another process downloads into the same folder; the lock ends with the process."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidDataError(
                f"another download into {root} is running; wait for it", code="E-data-download"
            ) from None
        yield
    finally:
        os.close(descriptor)


def _sign_in(url: str, names: list[str], find_account: Callable[[str], Account]) -> tuple[Site, dict[str, Package]]:
    try:
        from semseg.datasets.cityscapes.download_site import Site
    except ModuleNotFoundError as error:
        raise InvalidDataError(
            f"downloads need {error.name}, which is not installed: pip install -e .[download]", code="E-data-package"
        ) from None
    site = Site(url)
    site.sign_in(find_account(site.host))
    offered = site.packages()
    unknown = [name for name in names if f"{name}.zip" not in offered or Path(name).name != name]
    if unknown:
        known = ", ".join(sorted(name.removesuffix(".zip") for name in offered))
        raise InvalidInputError(f"no package {unknown[0]!r} for this account; there are {known}", code="E-input-value")
    return site, {name: offered[f"{name}.zip"] for name in names}


def _estimate_bytes(root: Path, packages: Iterable[Package], keep_archives: bool) -> int:
    """Return an upper estimate of the bytes needed; `unpack` checks the exact number of each archive."""
    most = kept = 0
    for package in packages:
        # photographs are compressed already, annotations are partly JSON
        unpacked = int(package.num_bytes * (5 if package.name.startswith("gt") else 1.1))
        paths = [root / package.name, _part_path(root / package.name)]
        to_receive = max(0, package.num_bytes - sum(path.stat().st_size for path in paths if path.exists()))
        most = max(most, kept + to_receive + unpacked)
        kept += unpacked + (to_receive if keep_archives else 0)
    return most


def _part_path(archive_path: Path) -> Path:
    return archive_path.with_name(f"{archive_path.name}.part")


def _fetch(
    site: Site, package: Package, root: Path, on_progress: Callable[[str, int, int], None], retry_s: float
) -> Path:
    """Download and verify an archive, unless it is in `root` already; return its path."""
    archive_path = root / package.name
    name = archive_path.stem
    expected = site.md5(package)

    def verify(path: Path) -> str:
        return _md5(path, lambda *num_bytes: on_progress(f"verifying {name}", *num_bytes))

    if archive_path.is_file():
        md5 = verify(archive_path)
        if md5 != expected:
            raise InvalidDataError(
                f"{archive_path} has the md5 sum {md5}, {site.host} says {expected}: remove the file",
                code="E-data-archive",
            )
        return archive_path

    part_path = _part_path(archive_path)
    _receive(site, package, part_path, lambda *num_bytes: on_progress(f"downloading {name}", *num_bytes), retry_s)
    md5 = verify(part_path)
    if md5 != expected:
        part_path.unlink()
        raise DownloadError(
            f"{package.name} arrived damaged (md5 sum {md5}, {site.host} says {expected}) and was removed; "
            "run this again"
        )
    part_path.replace(archive_path)
    return archive_path


def _receive(
    site: Site, package: Package, part_path: Path, on_bytes: Callable[[int, int], None], retry_s: float
) -> None:
    """Complete `part_path`; gives up after `_NUM_TRIES` consecutive tries without a new byte."""
    num_failures = 0
    while True:
        num_before = part_path.stat().st_size if part_path.exists() else 0
        try:
            _receive_once(site, package, part_path, num_before, on_bytes)
            return
        except ConnectionError as error:
            num_bytes = part_path.stat().st_size if part_path.exists() else 0
            num_failures = 0 if num_bytes > num_before else num_failures + 1
            if num_failures == _NUM_TRIES:
                raise DownloadError(
                    f"{package.name} broke off {_NUM_TRIES} times: {error}; what has arrived "
                    f"({format_bytes(num_bytes)}) is kept, and the same command continues from there"
                ) from None
        time.sleep(retry_s * 2**num_failures)


def _receive_once(
    site: Site, package: Package, part_path: Path, offset: int, on_bytes: Callable[[int, int], None]
) -> None:
    with site.open(package, offset) as transfer:
        if transfer.start not in (0, offset) and transfer.total != transfer.start:
            raise ConnectionError(f"{site.host} sent another part of {package.name} than requested")
        num_bytes, total = transfer.start, transfer.total or package.num_bytes
        chunk = next(transfer.chunks, b"")
        if num_bytes == 0 and chunk and not b"PK".startswith(chunk[:2]):
            raise PermissionError(f"{site.host} sent something else than a zip archive as {package.name}")
        with part_path.open("ab") as part:
            if transfer.start != offset:  # the server starts over, or the part is longer than the file
                part.truncate(transfer.start)
            while chunk:
                part.write(chunk)
                num_bytes += len(chunk)
                on_bytes(num_bytes, max(total, num_bytes))
                chunk = next(transfer.chunks, b"")
        if num_bytes != transfer.total and (transfer.total or num_bytes < 0.9 * package.num_bytes):
            raise ConnectionError(f"the connection to {site.host} was cut")


def _md5(path: Path, on_bytes: Callable[[int, int], None]) -> str:
    digest, done, total = hashlib.md5(usedforsecurity=False), 0, path.stat().st_size
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            on_bytes(done, total)
    return digest.hexdigest()
