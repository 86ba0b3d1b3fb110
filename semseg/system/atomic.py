"""Write files that appear complete or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from semseg.errors import InvalidInputError
from semseg.system.objects.addresses import refuse_address


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

    The temporary name starts with a dot, keeps the suffix (writers read the format from it), and contains the
    process id, so that several processes may write the same file. Missing folders are created. When the block
    fails, the temporary file is removed and `path` is left unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file that is complete on the disk before it gets its name, and whose name is on the disk afterwards."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Write the names of the files in a folder to the disk, where the system can do that."""
    with contextlib.suppress(OSError):  # not every system can open a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
