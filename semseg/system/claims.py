"""Claim work for this process, so that processes on several machines that share a folder take different parts of it.

A claim is a file that only one process can create. While the process runs, it renews the time of the file; a claim
that was not renewed for a while, or whose process on this machine has ended, belongs to nobody and can be taken over.
A process that slept for so long, as on a closed laptop, may come back after that. So each claim has a token, and a
process renews or removes the file only while its own token is in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

RENEWED_EVERY_S = 20.0
STALE_AFTER_S = 300.0
"""A claim that was not renewed for so long is free: its machine is lost, or its file system."""
_LOOK_EVERY_S = 2.0


class Claim:
    """A claim that this process holds, until `release` or the end of a `with` block, or until another takes it over.

    Attributes:
        path: of its file.
        token: that is in the file while this process holds the claim.
    """

    def __init__(self, path: Path, token: str) -> None:
        self.path, self.token = path, token
        self._released = threading.Event()
        threading.Thread(target=self._renew, daemon=True).start()

    def release(self) -> None:
        """Give the claim back, unless another process has taken it over."""
        self._released.set()
        _remove(self.path, self.token)

    def __enter__(self) -> Claim:
        """Return the claim."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the claim back."""
        self.release()

    def _renew(self) -> None:
        while not self._released.wait(RENEWED_EVERY_S):
            with contextlib.suppress(OSError):  # a file server that is away for a moment
                if _holds(self.path, self.token):
                    os.utime(self.path)


def take_claim(path: Path) -> Claim | None:
    """Claim the work that a file stands for.

    Args:
        path: of the file; all processes that share the work use the same one.

    Returns:
        The claim, or None: another process that still runs has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if token := _create(path):
        return Claim(path, token)
    # one process at a time removes an old claim: another one could remove the new claim of the first
    takeover = path.with_name(f"{path.name}.takeover")
    if _is_abandoned(takeover):
        takeover.unlink(missing_ok=True)
    takeover_token = _create(takeover)
    if takeover_token is None:
        return None
    try:
        if path.exists() and not _is_abandoned(path):
            return None
        path.unlink(missing_ok=True)
        token = _create(path)
        return Claim(path, token) if token else None
    finally:
        _remove(takeover, takeover_token)


def take_abandoned_claim(path: Path, on_wait: Callable[[str], None]) -> Claim | None:
    """Claim the work that a file stands for, unless a process has it that runs.

    Whether a process on another machine runs is not known at once: it renews its claim within seconds, and one that was
    killed never does. So this waits until the claim is renewed, or free.

    Args:
        path: of the file; see `take_claim`.
        on_wait: called with the name of the other machine before the wait.

    Returns:
        The claim, or None: another process that still runs has it.
    """
    seen = None
    while (claim := take_claim(path)) is None:
        renewed = _renewed_at(path)
        if renewed is None:  # released at this moment
            continue
        if _is_here(_read(path)) or seen not in (None, renewed):
            return None
        if seen is None:
            seen = renewed
            on_wait(holder_of(path))
        time.sleep(_LOOK_EVERY_S)
    return claim


def holder_of(path: Path) -> str:
    """Return the name of the machine that has a claim; an empty string if nobody has it."""
    return str(_read(path).get("host", ""))


def _create(path: Path) -> str | None:
    """Create the file of a claim and return its token; None if the file exists."""
    token = uuid.uuid4().hex
    content = {"host": socket.gethostname(), "processes": _process_space(), "boot": _boot(), "pid": os.getpid()}
    try:
        file = path.open("x")
    except FileExistsError:
        return None
    try:
        with file:
            json.dump({**content, "token": token}, file)
    except OSError:  # a full disk: without content it would look like the claim of another process
        path.unlink(missing_ok=True)
        raise
    return token


def _holds(path: Path, token: str) -> bool:
    return _read(path).get("token") == token


def _remove(path: Path, token: str) -> None:
    if _holds(path, token):
        path.unlink(missing_ok=True)


def _is_abandoned(path: Path) -> bool:
    """Return whether the process of a claim has ended, or its machine is lost."""
    renewed = _renewed_at(path)
    if renewed is None:
        return False
    age_s = _file_system_time(path.parent) - renewed
    if age_s > STALE_AFTER_S:
        return True
    owner = _read(path)
    if not owner:  # a power cut came before its content; a process that runs has written it long ago
        return age_s > RENEWED_EVERY_S
    if _is_here(owner) and owner.get("boot", _boot()) != _boot():  # the process with this id is another one
        return True
    pid = owner.get("pid")
    return _is_here(owner) and isinstance(pid, int) and not _is_running(pid)


def _renewed_at(path: Path) -> float | None:
    """Return the time of the file of a claim; None if there is no such file."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None


def _is_here(owner: dict[str, Any]) -> bool:
    """Return whether the process of a claim is, or was, on this machine and in this container."""
    return (owner.get("host"), owner.get("processes")) == (socket.gethostname(), _process_space())


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a claim; empty while it is being written, or if it is not that of a claim."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _process_space() -> str:
    """Return a name for the space of process ids, which differs between containers on a machine."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _boot() -> str:
    """Return a name for the time since this machine was started."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        pass
    return True


def _file_system_time(folder: Path) -> float:
    """Return the time by the clock that the file system gives its files, which may differ from that of this machine."""
    probe = folder / f".time.{socket.gethostname()}.{os.getpid()}"
    probe.touch()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)
