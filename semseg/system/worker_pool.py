"""Process many files in several processes, which end with Ctrl-C and with their parent process."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import parent_process
from typing import TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_AHEAD = 4  # items that each process may be ahead of the one that is waited for


def run_all(
    function: Callable[[Item], Outcome],
    items: Sequence[Item],
    num_processes: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Outcome]:
    """Call a function for each item.

    Args:
        function: must be importable (defined at the top level of a module); its first exception is raised here.
        items: the argument of each call.
        num_processes: 1 calls the function in this process.
        on_progress: called with the number of items done and the total number.

    Returns:
        The results of the calls, in the order of the items.
    """
    on_progress = on_progress or (lambda done, total: None)
    if num_processes == 1:
        outcomes = []
        for item in items:
            outcomes.append(function(item))
            on_progress(len(outcomes), len(items))
        return outcomes
    with ProcessPoolExecutor(min(num_processes, len(items)), initializer=_end_with_parent) as pool:
        try:
            with _interrupts_blocked():
                futures = [pool.submit(function, item) for item in items]
            for num_done, future in enumerate(as_completed(futures), start=1):
                future.result()
                on_progress(num_done, len(items))
        finally:
            pool.shutdown(cancel_futures=True)
    return [future.result() for future in futures]


def run_in_order(
    function: Callable[[Item], Outcome], items: Sequence[Item], num_processes: int
) -> Generator[Outcome, None, None]:
    """Yield the results of a function for each item, in the order of the items; few of them are held in memory.

    Args:
        function, items, num_processes: those of `run_all`.
    """
    if num_processes == 1 or len(items) < 2:
        yield from map(function, items)
        return
    with ProcessPoolExecutor(min(num_processes, len(items)), initializer=_end_with_parent) as pool:
        futures: deque[Future] = deque()
        try:
            for item in items:
                with _interrupts_blocked():
                    futures.append(pool.submit(function, item))
                if len(futures) > _AHEAD * num_processes:
                    yield futures.popleft().result()
            while futures:
                yield futures.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_blocked() -> Generator[None, None, None]:
    """Block SIGINT while processes are started: they inherit the mask, so that only the parent handles Ctrl-C."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _end_with_parent() -> None:
    """End this worker when its parent is killed; otherwise it would wait for work forever."""

    def watch() -> None:
        parent = parent_process()
        assert parent is not None  # this runs in a worker
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
