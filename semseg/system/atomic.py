"""Files that appear complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from semseg.errors import InvalidInputError


def check_folder(path: Path, flag: str) -> None:
    """Raise a ValueError unless a folder can be made and written to; nothing is written.

    Args:
        path: the folder.
        flag: the option that named it, for the message.
    """
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists() or folder.is_symlink())
    if not existing.is_dir():
        kind = "a dangling link" if not existing.exists() else "a file"
        raise InvalidInputError(f"{flag} {path}: {existing} is {kind}; expected a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InvalidInputError(f"{flag} {path}: {existing} cannot be written to; choose another folder")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Lend a temporary path beside `path`, and rename it to `path` when the block ends well.

    The temporary name starts with a dot, keeps the suffix (writers read the format from it), and holds the
    process id, so that several processes may write the same file. Missing folders are made. When the block
    fails, the temporary file is removed and `path` stays what it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
