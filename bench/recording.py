"""Record what a program does to the files in a folder, by its system calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench.system_calls import Call, watch


class Operation(NamedTuple):
    """A recorded call: `write`, `truncate`, `open`, `rename`, `unlink`, `mkdir`, `rmdir`, `symlink` or `fsync`.

    Attributes:
        kind: see above.
        path: relative to the recorded folder.
        target: the second path of a rename; what a symlink points to.
        offset: of a write; the length of `truncate`.
        data: of a write.
        flags: of `open`.
    """

    kind: str
    path: str
    target: str = ""
    offset: int = 0
    data: bytes = b""
    flags: int = 0


def record(program: Callable[[], object], folder: Path, output_path: Path) -> tuple[int, list[Operation]]:
    """Run a function in a process of its own, and return its exit code and what it did to the files in a folder."""
    root, operations = os.path.realpath(folder), []

    def on_call(call: Call) -> None:
        operations.extend(_operations(call, root))

    return watch(program, on_call, output_path), operations


def written_path(call: Call) -> str | None:
    """Return the path of the file that a call changes; None if the call changes no file."""
    name = call.name
    if name in ("open", "creat"):
        return call.path(0)
    if name in ("openat", "openat2"):
        return call.path(1, 0)
    if name in ("rename", "truncate", "unlink", "mkdir", "rmdir", "link"):
        return call.path({"link": 1, "rename": 1}.get(name, 0))
    if name in ("renameat", "renameat2", "linkat"):
        return call.path(3, 2)
    if name in ("unlinkat", "mkdirat"):
        return call.path(1, 0)
    if name in ("symlink", "symlinkat"):
        return call.path(1) if name == "symlink" else call.path(2, 1)
    return call.file(2 if name == "copy_file_range" else 0)


def open_flags(call: Call) -> int:
    """Return the flags of `open`, `creat` and `openat`; 0 for other calls."""
    if call.name == "creat":
        return os.O_CREAT | os.O_TRUNC | os.O_WRONLY
    return {"open": call.args[1], "openat": call.args[2]}.get(call.name, 0)


def _operations(call: Call, root: str) -> Iterator[Operation]:
    """Yield what a call does below `root`."""
    if call.name in ("open", "openat") and not open_flags(call) & (os.O_CREAT | os.O_TRUNC):
        return
    path = written_path(call)
    inside = _relative(path, root)
    if call.name.startswith("rename"):
        source = _relative(call.path(0) if call.name == "rename" else call.path(1, 0), root)
        if (source is None) != (inside is None):
            raise NotImplementedError(f"a rename across the border of the recorded folder: {path}")
        if source is not None and inside is not None:
            yield Operation("rename", source, target=inside)
        return
    if inside is None or inside.endswith(" (deleted)"):
        return
    if call.name in ("open", "creat", "openat"):
        yield Operation("open", inside, flags=open_flags(call))
    elif call.name in ("write", "writev", "pwrite64", "pwritev"):
        position, flags = call.position_and_flags(0)
        if call.name.startswith("p"):
            position = call.args[3]
        elif flags & os.O_APPEND:
            position = -1
        yield Operation("write", inside, offset=position, data=call.data())
    elif call.name == "sendfile":
        offset = call.args[2]  # a pointer; 0: where the file is
        start = int.from_bytes(call.memory(offset, 8), "little") if offset else call.position_and_flags(1)[0]
        with Path(f"/proc/{call.tid}/fd/{call.args[1]}").open("rb") as source_file:
            data = os.pread(source_file.fileno(), call.args[3], start)
        yield Operation("write", inside, offset=call.position_and_flags(0)[0], data=data)
    elif call.name in ("ftruncate", "truncate"):
        yield Operation("truncate", inside, offset=call.args[1])
    elif call.name in ("unlink", "unlinkat"):
        is_folder = call.name == "unlinkat" and call.args[2] & 0x200
        yield Operation("rmdir" if is_folder else "unlink", inside)
    elif call.name in ("mkdir", "mkdirat", "rmdir"):
        yield Operation(call.name.removesuffix("at"), inside)
    elif call.name in ("symlink", "symlinkat"):
        yield Operation("symlink", inside, target=os.fsdecode(call.text(0)))
    elif call.name in ("fsync", "fdatasync"):
        yield Operation("fsync", inside)
    elif call.name != "sync_file_range":
        raise NotImplementedError(f"{call.name} of {path}")


def _relative(path: str | None, root: str) -> str | None:
    if path is None or not (path == root or path.startswith(root + "/")):
        return None
    return os.path.relpath(path, root)
