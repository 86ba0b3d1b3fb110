"""Write files in background threads while the model continues."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

_NUM_THREADS = 2
_MAX_WAITING = 8  # with a slow disk, `submit` blocks before the memory is full
_MAX_WAITING_BYTES = 512 * 1024**2


class Writers:
    """A few threads that write files; an exception in a thread is raised by the next call."""

    def __init__(self, num_threads: int = _NUM_THREADS) -> None:
        self._num_threads = num_threads
        self._threads: ThreadPoolExecutor | None = None
        self._waiting: deque[tuple[Future, int]] = deque()

    def submit(self, write: Callable[..., None], *arguments: Any, num_bytes: int = 0) -> None:
        """Call `write(*arguments)` in a thread; block while too many calls are waiting.

        Args:
            write: the function to call.
            arguments: of the call.
            num_bytes: memory that the arguments use, if it may be large.
        """
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._num_threads)
        self._wait_until_left(max(_MAX_WAITING, self._num_threads) - 1, _MAX_WAITING_BYTES - num_bytes)
        self._waiting.append((self._threads.submit(write, *arguments), num_bytes))

    def finish(self) -> None:
        """Wait until all files are written, and end the threads; after that, the process may fork."""
        try:
            self._wait_until_left(0, 0)
        finally:
            if self._threads is not None:
                self._threads.shutdown()
                self._threads = None

    def _wait_until_left(self, num_left: int, num_bytes_left: int) -> None:
        while self._waiting and (
            len(self._waiting) > num_left or sum(size for _, size in self._waiting) > num_bytes_left
        ):
            self._waiting.popleft()[0].result()
