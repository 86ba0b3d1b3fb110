"""Watch the system calls with which a program changes files, and let some of them fail.

The kernel stops a process at each of these calls and asks this one what to do (seccomp with SECCOMP_RET_USER_NOTIF,
Linux 5.6 or later, x86-64, no rights needed). So the calls of PyTorch's C++ writer, of GDAL or of FFmpeg are seen too,
in all threads and child processes, and the program is not changed. strace could record the same, but its counters for
injected errors are per thread and cannot be limited to a folder.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

NUMBERS = {
    "write": 1, "pwrite64": 18, "writev": 20, "pwritev": 296, "pwritev2": 328, "sendfile": 40, "copy_file_range": 326,
    "truncate": 76, "ftruncate": 77, "fallocate": 285, "open": 2, "creat": 85, "openat": 257, "openat2": 437,
    "rename": 82, "renameat": 264, "renameat2": 316, "unlink": 87, "unlinkat": 263, "mkdir": 83, "mkdirat": 258,
    "rmdir": 84, "symlink": 88, "symlinkat": 266, "link": 86, "linkat": 265, "fsync": 74, "fdatasync": 75,
    "sync_file_range": 277,
}  # fmt: skip
_NAMES = {number: name for name, number in NUMBERS.items()}
_PIDFD_GETFD, _PIDFD_OPEN, _SECCOMP, _X86_64 = 438, 434, 317, 0xC000003E
_RECEIVE, _SEND, _CONTINUE = 0xC0502100, 0xC0182101, 1  # SECCOMP_IOCTL_NOTIF_RECV and _SEND
_AT_FDCWD = -100
_libc = ctypes.CDLL(None, use_errno=True)


def is_supported() -> bool:
    """Return whether this kernel can stop a process at its system calls."""
    release = tuple(int("0" + "".join(filter(str.isdigit, part))) for part in platform.release().split(".")[:2])
    return sys.platform == "linux" and platform.machine() == "x86_64" and release >= (5, 6)


class Call(NamedTuple):
    """A system call that is about to happen.

    Attributes:
        name: such as `write`.
        tid: of the thread.
        args: the six arguments, unsigned.
    """

    name: str
    tid: int
    args: tuple[int, ...]

    def memory(self, address: int, num_bytes: int) -> bytes:
        """Return bytes of the process."""
        with Path(f"/proc/{self.tid}/mem").open("rb", buffering=0) as memory:
            memory.seek(address)
            content = b""
            while len(content) < num_bytes:
                content += memory.read(num_bytes - len(content))
            return content

    def file(self, index: int) -> str:
        """Return the path of the open file that argument `index` is."""
        return str(Path(f"/proc/{self.tid}/fd/{_signed(self.args[index])}").readlink())

    def position_and_flags(self, index: int) -> tuple[int, int]:
        """Return the offset of an open file, and the flags that it was opened with."""
        text = Path(f"/proc/{self.tid}/fdinfo/{_signed(self.args[index])}").read_text()
        lines = dict(line.split(":", 1) for line in text.splitlines()[:2])
        return int(lines["pos"]), int(lines["flags"], 8)

    def path(self, index: int, folder_index: int | None = None) -> str:
        """Return the absolute path that argument `index` points to; links of its parent are resolved.

        Args:
            index: of the path.
            folder_index: of the open folder that the path is relative to; default: the working folder.
        """
        text = os.fsdecode(self.text(index))
        start = f"/proc/{self.tid}/cwd"
        if folder_index is not None and _signed(self.args[folder_index]) != _AT_FDCWD:
            start = f"/proc/{self.tid}/fd/{_signed(self.args[folder_index])}"
        full = Path(start).readlink() / text
        return str(full.parent.resolve() / full.name)

    def text(self, index: int) -> bytes:
        """Return the string that argument `index` points to."""
        address, text = self.args[index], b""
        while b"\0" not in text:  # up to the end of the page: the next one may not exist
            text += self.memory(address + len(text), 4096 - (address + len(text)) % 4096)
        return text.partition(b"\0")[0]

    def data(self) -> bytes:
        """Return what `write`, `pwrite64`, `writev` or `pwritev` writes."""
        if self.name in ("write", "pwrite64"):
            return self.memory(self.args[1], self.args[2])
        parts = struct.unpack(f"={2 * self.args[2]}Q", self.memory(self.args[1], 16 * self.args[2]))
        return b"".join(self.memory(parts[i], parts[i + 1]) for i in range(0, len(parts), 2) if parts[i + 1])

    def write_half(self) -> int:
        """Write the first half of what `write` or `pwrite64` would write, as the process, and return its length."""
        half = self.memory(self.args[1], (self.args[2] + 1) // 2)
        pidfd = _libc.syscall(_PIDFD_OPEN, _group_of(self.tid), 0)
        file = _libc.syscall(_PIDFD_GETFD, pidfd, _signed(self.args[0]), 0)
        try:
            return os.write(file, half) if self.name == "write" else os.pwrite(file, half, self.args[3])
        finally:
            os.close(file)
            os.close(pidfd)


def watch(program: Callable[[], object], on_call: Callable[[Call], int | None], output_path: Path) -> int:
    """Run a function in a forked process, and return its exit code.

    Args:
        program: what runs; `SystemExit` is its exit code, another exception prints its traceback.
        on_call: called before each system call of NUMBERS; returns None if it may happen, or the negative number of an
            error, or what the call returns in place of happening.
        output_path: gets stdout and stderr.
    """
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        _run(program, theirs, output_path)
    theirs.close()
    _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    listener = fds[0]
    try:
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        while True:
            events = poll.poll()[0][1]
            if not events & select.POLLIN:  # no process is left
                break
            _answer(listener, on_call)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        os.close(listener)
        ours.close()
        status = os.waitpid(pid, 0)[1]
    return os.waitstatus_to_exitcode(status)


def _answer(listener: int, on_call: Callable[[Call], int | None]) -> None:
    buffer = bytearray(80)
    with contextlib.suppress(FileNotFoundError):  # a signal has interrupted the call, or ended the process
        fcntl.ioctl(listener, _RECEIVE, buffer)
        identity, tid, _, number, _, _, *args = struct.unpack("=QIIiIQ6Q", buffer)
        answer = on_call(Call(_NAMES[number], tid, tuple(args)))
        value, flags = (0, _CONTINUE) if answer is None else (answer, 0)
        reply = (identity, max(value, 0), min(value, 0), flags)
        fcntl.ioctl(listener, _SEND, struct.pack("=QqiI", *reply))


def _run(program: Callable[[], object], channel: socket.socket, output_path: Path) -> None:
    """Run a function under the filter, and leave the process."""
    code = 1
    try:
        output = os.open(output_path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(output, stream)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)  # pytest replaces them
        listener = _install_filter()
        socket.send_fds(channel, [b"x"], [listener])
        os.close(listener)
        channel.close()
        program()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        os._exit(code)


def _install_filter() -> int:
    """Stop this process and its children at the calls of NUMBERS, and return the file that a watcher answers on."""
    load, jump, leave = 0x20, 0x15, 0x06
    rules = [(load, 0, 0, 4), (jump, 1, 0, _X86_64), (leave, 0, 0, 0x7FFF0000), (load, 0, 0, 0)]
    numbers = sorted(NUMBERS.values())
    rules += [(jump, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    rules += [(leave, 0, 0, 0x7FFF0000), (leave, 0, 0, 0x7FC00000)]  # allow; notify
    filters = array.array("B", b"".join(struct.pack("=HBBI", *rule) for rule in rules))
    address, _ = filters.buffer_info()
    header = ctypes.create_string_buffer(struct.pack("=H6xQ", len(rules), address))
    _libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    listener = _libc.syscall(_SECCOMP, 1, 8, header)  # SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp cannot stop this process at its system calls")
    return listener


def _signed(value: int) -> int:
    return ctypes.c_int(value & 0xFFFFFFFF).value


def _group_of(tid: int) -> int:
    """Return the process id of a thread."""
    lines = Path(f"/proc/{tid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Tgid:"))
