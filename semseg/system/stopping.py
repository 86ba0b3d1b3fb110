"""Stop a run on purpose before its last iteration."""

from __future__ import annotations

import errno
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager

GIVEN_UP = 3  # exit code: a restart would fail in the same way
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Stopped(Exception):
    """Raised to end a run that has saved its state.

    Attributes:
        exit_code: of the process: 128 + the number of a signal (130 for Ctrl-C, 143 for SIGTERM), 124 when the time
            limit was reached, 3 when a restart would fail again (the loss is NaN, the disk is full), 1 for another
            failure, 0 when the run was asked to end here.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether an error, or its cause, means that the disk or the quota is full."""
    return error is not None and (getattr(error, "errno", None) in _FULL or is_disk_full(error.__cause__))


class Signal(KeyboardInterrupt):
    """Ctrl-C or SIGTERM; `number` is that of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def signals_raise() -> Generator[None, None, None]:
    """Raise `Signal` in the block on Ctrl-C or SIGTERM; a second signal ends the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise Signal(number)

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
