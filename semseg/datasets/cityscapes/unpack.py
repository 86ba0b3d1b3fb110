"""Unpack zip archives into a folder: no file outside of it, and no incomplete file in it."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from semseg.errors import InvalidDataError
from semseg.system.atomic import atomic_path

_CHUNK_BYTES = 1 << 20


def unpack(archive_path: Path, root: Path, on_progress: Callable[[int, int], None] | None = None) -> int:
    """Unpack an archive into `root`; other files there are kept.

    All files are unpacked into a hidden folder and then renamed; the list of the files, which `find_lost` reads, is
    written last. If a run is killed, the next one starts from the beginning.

    Args:
        archive_path: a zip archive.
        root: an existing folder; files of the same names are replaced.
        on_progress: called with the bytes written and the bytes of all files.

    Returns:
        The number of files.

    Raises:
        ValueError: this is not a zip archive, an entry would be written outside of `root` or is a link, or the disk has
            too little space. Nothing is written then.
    """
    on_progress = on_progress or (lambda done, total: None)
    staging_dir = root / f".{archive_path.stem}.unpacking"
    shutil.rmtree(staging_dir, ignore_errors=True)  # left by a run that was killed
    try:
        with zipfile.ZipFile(archive_path) as archive:
            entries = archive.infolist()
            for entry in entries:
                _check_entry(entry, archive_path, root)
            total = sum(entry.file_size for entry in entries)
            check_disk(root, total, f"the files of {archive_path.name}")
            staging_dir.mkdir()
            done = 0
            for entry in entries:
                done = _write(archive, entry, staging_dir, lambda done: on_progress(done, total), done)
        names = sorted(entry.filename for entry in entries if not entry.is_dir())
        _merge(staging_dir, root)
        with atomic_path(_list_path(root, archive_path.stem)) as temporary_path:
            temporary_path.write_text("".join(f"{name}\n" for name in names))
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise InvalidDataError(
            f"{archive_path} is not a zip archive that can be read ({error}); remove it", code="E-data-archive"
        ) from None
    finally:
        shutil.rmtree(staging_dir, ignore_errors=True)
    return len(names)


def find_lost(root: Path, name: str) -> tuple[int, list[str]] | None:
    """Look for the files of an archive that was unpacked here.

    Returns:
        Their number, and the names of those that are missing; None if the archive was never unpacked.
    """
    list_path = _list_path(root, name)
    if not list_path.is_file():
        return None
    names = list_path.read_text().splitlines()
    return len(names), [name for name in names if not (root / name).is_file()]


def check_disk(root: Path, num_bytes: int, what: str) -> None:
    """Raise a ValueError if the disk of `root` has less than `num_bytes` free."""
    free = shutil.disk_usage(root).free
    if num_bytes > free:
        raise InvalidDataError(
            f"{root} needs {format_bytes(num_bytes)} for {what} and has {format_bytes(free)}; "
            "free some space or choose another disk",
            code="E-data-disk",
        )


def format_bytes(num_bytes: int) -> str:
    """Format a number of bytes as the download page does: 0.3 MB, 241 MB, 11.6 GB."""
    if num_bytes >= 1e9:
        return f"{num_bytes / 1e9:.1f} GB"
    return f"{num_bytes / 1e6:.{0 if num_bytes >= 1e8 else 1}f} MB"


def _list_path(root: Path, name: str) -> Path:
    return root / f".{name}.unpacked"


def _check_entry(entry: zipfile.ZipInfo, archive_path: Path, root: Path) -> None:
    path = PurePosixPath(entry.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or not path.parts:
        fault = f"would be written outside of {root}"
    elif stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        fault = "is a link or a device"
    else:
        return
    raise InvalidDataError(
        f"{archive_path}: its entry {entry.filename!r} {fault}; nothing was unpacked, remove the archive",
        code="E-data-archive",
    )


def _write(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, on_bytes: Callable[[int], None], done: int
) -> int:
    path = folder / entry.filename
    if entry.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return done
    path.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as source, path.open("wb") as target:
        while chunk := source.read(_CHUNK_BYTES):
            target.write(chunk)
            done += len(chunk)
            on_bytes(done)
        target.flush()
        os.fsync(target.fileno())  # before the list of the files says that they are there
    return done


def _merge(source_dir: Path, target_dir: Path) -> None:
    """Rename new folders as a whole, and the files of existing folders one by one."""
    for source in sorted(source_dir.iterdir()):
        target = target_dir / source.name
        if source.is_dir() and target.exists():
            if not target.is_dir():
                raise FileExistsError(f"{target} is a file and the archive has a folder there; move it away")
            _merge(source, target)
            continue
        try:
            source.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:  # a linked folder on another disk, to which renaming is impossible
                raise
            if source.is_dir():
                target.mkdir()
                _merge(source, target)
            else:
                with atomic_path(target) as temporary_path:
                    shutil.copyfile(source, temporary_path)
