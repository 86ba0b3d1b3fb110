"""Files that are drawn and written while the model goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

_NUM_THREADS = 2
_MAX_WAITING = 8  # a slow disk holds up the model rather than fill the memory


class Writers:
    """A few threads that write files; what fails in one is raised by the next call here."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._waiting: deque[Future] = deque()

    def submit(self, write: Callable[..., None], *arguments) -> None:
        """Call `write(*arguments)` soon; wait first while too much is waiting."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_NUM_THREADS)
        self._wait_until_left(_MAX_WAITING - 1)
        self._waiting.append(self._threads.submit(write, *arguments))

    def finish(self) -> None:
        """Wait until all is written. No thread is left then: what follows may fork."""
        self._wait_until_left(0)
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None

    def _wait_until_left(self, num_left: int) -> None:
        while len(self._waiting) > num_left:
            self._waiting.popleft().result()
