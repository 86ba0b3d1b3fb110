"""Read objects in a process of its own, as data loader workers must: obstore hangs in a process that was forked.

The process runs this file. It is started at the first read, once for each process that reads, and ends with it: then
there is nobody left who can write to its input.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semseg.errors import InvalidStorageError, StorageError, UnavailableStorageError
from semseg.system.objects import object_store
from semseg.system.objects.addresses import Address

_PACKAGE_DIR = Path(__file__).parents[3]


class _Reader:
    """The process that reads for this one."""

    def __init__(self) -> None:
        self.belongs_to = _circumstances()
        path = os.pathsep.join(filter(None, [str(_PACKAGE_DIR), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C and the signals of a scheduler are for the process that reads
        )

    def ask(self, question: tuple) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        pickle.dump(question, self._process.stdin)
        self._process.stdin.flush()
        return pickle.load(self._process.stdout)

    def close(self) -> None:
        """End the process, unless this one was forked from the one that it belongs to."""
        if self.belongs_to[0] == os.getpid():
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # what is left in it cannot be sent
                assert pipe is not None
                pipe.close()


_reader: _Reader | None = None
_lock = threading.Lock()


def read_size(address: Address) -> int:
    """Return the size of an object in bytes.

    Raises:
        StorageError: it is not there, or cannot be read.
    """
    return _ask("object_facts", address).num_bytes


def read_object(address: Address) -> bytes:
    """Return the content of an object.

    Raises:
        StorageError: it is not there, or cannot be read.
    """
    num_bytes = read_size(address)
    return read_ranges(address, [0], [num_bytes])[0] if num_bytes else b""


def read_ranges(address: Address, starts: Sequence[int], ends: Sequence[int]) -> list[bytes]:
    """Return parts of an object; they are asked for at the same time.

    Args:
        address: of the object.
        starts: first byte of each part.
        ends: the byte after each part.

    Raises:
        StorageError: it is not there, or cannot be read.
    """
    return _ask("read_ranges", address, list(starts), list(ends))


def _ask(function: str, address: Address, *arguments: Any) -> Any:
    global _reader
    if address.scheme == "memory":
        raise InvalidStorageError(
            f"{address}: memory:// is in one process, and data is read by several; use another storage, or a folder",
            code="E-storage-here",
        )
    with _lock:
        if _reader is not None and _reader.belongs_to != _circumstances():
            _close()
        if _reader is None:
            _reader = _Reader()
        try:
            answer = _reader.ask((object_store.PATIENCE, function, address, *arguments))
        except (OSError, EOFError, pickle.UnpicklingError):
            _close()
            raise UnavailableStorageError(
                f"{address}: the process that reads it was ended (often because memory ran out); start again",
                code="E-storage-unavailable",
            ) from None
        except BaseException:  # Ctrl-C: the answer is still to come, and would be taken for the next one
            _close()
            raise
    if isinstance(answer, StorageError):
        raise answer
    return answer


@atexit.register
def _close() -> None:
    global _reader
    if _reader is not None:
        _reader.close()
        _reader = None


def _circumstances() -> tuple[int, dict[str, str]]:
    return os.getpid(), dict(os.environ)


def _answer_questions() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing else is printed between the answers
    try:
        while True:
            object_store.PATIENCE, function, address, *arguments = pickle.load(questions)
            try:
                answer = getattr(object_store, function)(address, *arguments)
            except StorageError as error:
                answer = error
            pickle.dump(answer, answers, protocol=pickle.HIGHEST_PROTOCOL)
            answers.flush()
    except (EOFError, BrokenPipeError, pickle.UnpicklingError):
        os._exit(0)  # the process that asks has ended; answers that are left are for nobody


if __name__ == "__main__":
    _answer_questions()
