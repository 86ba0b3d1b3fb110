"""Repair of OpenVINO on CPUs with AMX: its engine leaves a signal stack behind that is freed later."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Generator


class _Stack(ctypes.Structure):
    """`stack_t` of Linux."""

    _fields_ = [("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("num_bytes", ctypes.c_size_t)]


@contextlib.contextmanager
def keep_signal_stack() -> Generator[None]:
    """Restore the stack on which this thread handles signals.

    Seen with OpenVINO 2026.4. Each engine sets a stack of its own, and restores the earlier one when it is destroyed,
    but not if another engine has set its stack in the meantime. After two engines the thread is left with freed memory
    as its signal stack, and the next signal with a handler, such as the end of a worker of a loader, kills the process.
    Signals need no stack of their own: the usual one has room for the registers of AMX, too.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    sigaltstack = ctypes.CDLL(None).sigaltstack
    before = _Stack()
    sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        sigaltstack(ctypes.byref(before), None)
