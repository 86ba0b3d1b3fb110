"""A run that ends before its last iteration, on purpose."""

from __future__ import annotations

import errno
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GIVEN_UP = 3  # exit code: starting again would end in the same way
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Stopped(Exception):
    """The run has saved what is worth keeping, and ends here.

    Attributes:
        exit_code: what the process leaves with: 128 + the number of a signal (130 Ctrl-C, 143 SIGTERM),
            124 when its time was up, 3 when a restart would be in vain (a loss that is no number, a full disk),
            1 for another failure, 0 when it was asked to end here.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether a file could not be written for want of room, or of quota; also if a better sentence says it."""
    return error is not None and (getattr(error, "errno", None) in _FULL or is_disk_full(error.__cause__))


class Signal(KeyboardInterrupt):
    """Ctrl-C or SIGTERM, `number` says which."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def signals_raise() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the block with `Signal`; a second one ends the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise Signal(number)

    before: dict[int, Callable] = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
