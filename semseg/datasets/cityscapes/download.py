"""Cityscapes, from its download page to files on disk: fetched, verified, unpacked, and only once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from semseg.datasets.cityscapes.account import Account
from semseg.datasets.cityscapes.unpack import check_disk, find_lost, format_bytes, unpack
from semseg.errors import InvalidDataError, SemsegError

if TYPE_CHECKING:
    from semseg.datasets.cityscapes.download_site import Package, Site

PACKAGES = ("gtFine_trainvaltest", "leftImg8bit_trainvaltest")
"""What the recipes need."""

URL = "https://www.cityscapes-dataset.com"
_URL_VARIABLE = "SEMSEG_CITYSCAPES_URL"  # of a server on this machine, for tests

_NUM_TRIES = 5  # in a row that bring not one byte
_CHUNK_BYTES = 1 << 20


class DownloadError(SemsegError, RuntimeError):
    """A download broke off; the message says what is kept and what to do."""


class Outcome(NamedTuple):
    """What happened to a package."""

    num_files: int
    is_new: bool  # False: it had been there


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

    What is there already is not downloaded again, and when everything is there, the site is not asked.
    A broken download continues where it stopped, within a run and in the next one. An archive that lies in
    `root` under its own name (from a browser) is used.

    Args:
        root: made if missing; gets `gtFine/`, `leftImg8bit/` and so on.
        packages: names as on the download page, with or without `.zip`.
        find_account: called with the name of the host, when the site is needed.
        url: of another server that speaks the same forms.
        keep_archives: else they are deleted when they are unpacked.
        on_progress: called with what is being done (as "downloading gtFine_trainvaltest"), the bytes done,
            and the bytes of all.
        retry_s: wait before the second try; doubled for each further one.

    Returns:
        Outcomes by package.

    Raises:
        ValueError: an unknown package, too little room on the disk, no account, or an archive that must not
            be unpacked.
        PermissionError: the site refuses the account, or a file to it.
        ConnectionError: the site does not answer.
        DownloadError: the connection is lost again and again, the file is damaged, or it cannot be written.
    """
    root = Path(root)
    on_progress = on_progress or (lambda what, done, total: None)
    names = list(dict.fromkeys(name.removesuffix(".zip") for name in packages))
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root):
        found = {name: find_lost(root, name) for name in names}
        outcomes = {name: Outcome(files[0], False) for name, files in found.items() if files and not files[1]}
        absent = [name for name in names if name not in outcomes]
        if not absent:
            return outcomes
        site, wanted = _sign_in(url or os.environ.get(_URL_VARIABLE) or URL, absent, find_account)
        check_disk(root, _num_bytes_at_most(root, wanted.values(), keep_archives), ", ".join(wanted))
        for name, package in wanted.items():
            try:
                archive_path = _fetch(site, package, root, on_progress, retry_s)
                num_files = unpack(archive_path, root, lambda *b, name=name: on_progress(f"unpacking {name}", *b))
                if not keep_archives:
                    archive_path.unlink()
            except (ConnectionError, PermissionError, FileExistsError):
                raise
            except OSError as error:  # the disk
                raise DownloadError(
                    f"{name} could not be written to {root}: {error.strerror}; mend that and run this again, "
                    "what is downloaded is kept"
                ) from None
            outcomes[name] = Outcome(num_files, True)
    return {name: outcomes[name] for name in names}


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Keep a second run out of the same folder; the lock ends with the process."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidDataError(f"another download into {root} is running; wait for it") from None
        yield
    finally:
        os.close(descriptor)


def _sign_in(url: str, names: list[str], find_account: Callable[[str], Account]) -> tuple[Site, dict[str, Package]]:
    try:
        from semseg.datasets.cityscapes.download_site import Site
    except ModuleNotFoundError as error:
        raise InvalidDataError(
            f"downloads need {error.name}, which is not installed: pip install -e .[download]"
        ) from None
    site = Site(url)
    site.sign_in(find_account(site.host))
    offered = site.packages()
    unknown = [name for name in names if f"{name}.zip" not in offered or Path(name).name != name]
    if unknown:
        known = ", ".join(sorted(name.removesuffix(".zip") for name in offered))
        raise InvalidDataError(f"no package {unknown[0]!r} for this account; there are {known}")
    return site, {name: offered[f"{name}.zip"] for name in names}


def _num_bytes_at_most(root: Path, packages: Sequence[Package], keep_archives: bool) -> int:
    """Guess, on the safe side; the archive's own numbers are looked at before it is unpacked."""
    most = kept = 0
    for package in packages:
        # photographs are compressed already, annotations are partly JSON
        unpacked = int(package.num_bytes * (5 if package.name.startswith("gt") else 1.1))
        paths = [root / package.name, _part_path(root / package.name)]
        to_come = max(0, package.num_bytes - sum(path.stat().st_size for path in paths if path.exists()))
        most = max(most, kept + to_come + unpacked)
        kept += unpacked + (to_come if keep_archives else 0)
    return most


def _part_path(archive_path: Path) -> Path:
    return archive_path.with_name(f"{archive_path.name}.part")


def _fetch(
    site: Site, package: Package, root: Path, on_progress: Callable[[str, int, int], None], retry_s: float
) -> Path:
    """Bring the verified archive to `root`, where it is not there."""
    archive_path = root / package.name
    name = archive_path.stem
    expected = site.md5(package)

    def verify(path: Path) -> str:
        return _md5(path, lambda *num_bytes: on_progress(f"verifying {name}", *num_bytes))

    if archive_path.is_file():
        found = verify(archive_path)
        if found != expected:
            raise InvalidDataError(
                f"{archive_path} has the md5 sum {found}, {site.host} says {expected}: remove the file"
            )
        return archive_path

    part_path = _part_path(archive_path)
    _receive(site, package, part_path, lambda *num_bytes: on_progress(f"downloading {name}", *num_bytes), retry_s)
    found = verify(part_path)
    if found != expected:
        part_path.unlink()
        raise DownloadError(
            f"{package.name} arrived damaged (md5 sum {found}, {site.host} says {expected}) and was removed; "
            "run this again"
        )
    part_path.replace(archive_path)
    return archive_path


def _receive(
    site: Site, package: Package, part_path: Path, on_bytes: Callable[[int, int], None], retry_s: float
) -> None:
    """Fill `part_path`, with as many tries as bring something."""
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
                    f"({format_bytes(num_bytes)}) is kept, and the same command goes on there"
                ) from None
        time.sleep(retry_s * 2**num_failures)


def _receive_once(
    site: Site, package: Package, part_path: Path, offset: int, on_bytes: Callable[[int, int], None]
) -> None:
    with site.open(package, offset) as transfer:
        if transfer.start not in (0, offset) and transfer.total != transfer.start:
            raise ConnectionError(f"{site.host} sent another part of {package.name} than asked for")
        num_bytes, total = transfer.start, transfer.total or package.num_bytes
        chunk = next(transfer.chunks, b"")
        if num_bytes == 0 and chunk and not b"PK".startswith(chunk[:2]):
            raise PermissionError(f"{site.host} sent something else than a zip archive as {package.name}")
        with part_path.open("ab") as part:
            if transfer.start != offset:  # the server begins again, or more was there than it has
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
