"""Write files that appear complete or not at all, also when the power is cut, or the disk is full or fails."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from semseg.errors import DiskError, InvalidInputError
from semseg.system.objects.addresses import refuse_address
from semseg.system.stopping import is_disk_full

_DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.ESTALE, errno.ENXIO)

_START = os.urandom(4).hex()  # of this process, or of the one that it was forked from


def check_folder(path: Path, option: str) -> None:
    """Raise an error unless a folder can be created and written to; nothing is written.

    Args:
        path: the folder.
        option: the name of the option that gave it, such as `out_dir`, for the message.

    Raises:
        ValueError: part of the path is a file or a dangling link, or is not writable; or it is an address.
    """
    refuse_address(path, option)
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists() or folder.is_symlink())
    if not existing.is_dir():
        kind = "a dangling link" if not existing.exists() else "a file"
        raise InvalidInputError(f"`{option}` {path}: {existing} is {kind}; expected a folder", code="E-input-folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InvalidInputError(
            f"`{option}` {path}: {existing} cannot be written to; choose another folder", code="E-input-folder"
        )


@contextmanager
def atomic_path(path: Path) -> Generator[Path, None, None]:
    """Yield a temporary path in the folder of `path`, and rename it to `path` when the block succeeds.

    The file is on the disk before it gets its name, so that after a power cut it is there as a whole, or the old one
    is. The temporary name starts with a dot, keeps the suffix (writers read the format from it), and contains the
    process id and a random number, because several processes may write the same file, and processes in containers
    that share a folder often have the same id. Missing folders are created. When the block
    fails, the temporary file is removed and `path` is left unchanged.

    Raises:
        DiskError: the disk is full, or it fails.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}-{_START}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        sync_file(temporary)
        temporary.replace(path)
    except Exception as error:
        if (fault := _find_disk_fault(error, path, temporary)) is not None:
            raise fault from error
        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file that is complete on the disk before it gets its name, and whose name is on the disk afterwards."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Write the content of a file to the disk; does nothing for a link."""
    if not path.is_symlink():
        _sync(path)


def sync_folder(folder: Path) -> None:
    """Write the names of the files in a folder, and its own name, to the disk, where the system can do that."""
    for one in (folder, *folder.absolute().parents):
        with contextlib.suppress(OSError):  # not every system can open a folder
            _sync(one)


def disk_error(error: OSError, path: Path | str) -> DiskError:
    """Return the error for a file or folder that cannot be written: what the system says, and what to do."""
    reason = (error.strerror or str(error)).lower()
    fault = DiskError(
        f"cannot write {path} ({reason}): {disk_remedy(error)}, then run the same command again",
        code="E-disk-full" if is_disk_full(error) else "E-disk-write",
    )
    fault.errno, fault.strerror, fault.filename = error.errno, error.strerror, str(path)
    return fault


def disk_remedy(error: OSError) -> str:
    """Return what to do about a disk that cannot be written to."""
    return "make room there" if is_disk_full(error) else "check the disk"


@contextmanager
def naming_disk_errors(path: Path) -> Generator[None]:
    """Turn errors of the disk in the block into a DiskError for a file or folder, unless they name one."""
    try:
        yield
    except OSError as error:
        if is_disk_fault(error) and not isinstance(error, DiskError):
            raise disk_error(error, error.filename or path) from error
        raise


def is_disk_fault(error: BaseException) -> bool:
    """Return whether an error of the system means that a disk is full or fails."""
    return isinstance(error, OSError) and error.errno in _DISK_FAULTS


def _find_disk_fault(error: Exception, path: Path, temporary: Path) -> DiskError | None:
    """Return the error for `path` if an error that its writer has raised comes from the disk."""
    if isinstance(error, DiskError):
        return None
    if isinstance(error, OSError) and error.errno is not None:
        names = {str(name) for name in (error.filename, error.filename2) if name is not None}
        is_ours = not names or names & {str(path), str(temporary), str(path.parent)}
        return disk_error(error, path) if is_disk_fault(error) and is_ours else None
    # many libraries do not say why they failed: find out whether anything can be written there
    try:
        with temporary.open("ab") as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
    except OSError as cause:
        return disk_error(cause, path) if is_disk_fault(cause) else None
    return None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
