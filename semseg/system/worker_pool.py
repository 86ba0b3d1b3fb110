"""Work on many files in several processes that answer to Ctrl-C, and to the end of their parent."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import parent_process
from typing import TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def run_all(
    function: Callable[[Item], Outcome],
    items: Sequence[Item],
    num_processes: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Outcome]:
    """Call a function for every item.

    Args:
        function: of a module's top level; its first exception ends the run.
        items: one per call.
        num_processes: with 1, everything happens in this process.
        on_progress: called with the number of items done and the number of all.

    Returns:
        What the calls returned, in the order of the items.
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
            with _interrupts_held():
                futures = [pool.submit(function, item) for item in items]
            for num_done, future in enumerate(as_completed(futures), start=1):
                future.result()
                on_progress(num_done, len(items))
        finally:
            pool.shutdown(cancel_futures=True)
    return [future.result() for future in futures]


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start processes that never see Ctrl-C (they inherit the mask): the parent alone answers it."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _end_with_parent() -> None:
    """Keep no worker waiting for work from a parent that was killed."""

    def watch() -> None:
        parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
