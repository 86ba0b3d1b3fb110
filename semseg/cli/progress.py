"""Progress bars on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager


@contextmanager
def show_count(label: str) -> Generator[Callable[[int, int], None]]:
    """Yield a function of (done, total) that updates a progress bar if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    # no refresh thread: forking a process that runs threads can deadlock
    with Progress(console=Console(stderr=True), auto_refresh=False, transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total, refresh=done % 10 == 0 or done == total)


@contextmanager
def show_bytes() -> Generator[Callable[[str, int, int], None]]:
    """Yield a function of (name, bytes done, total bytes) that updates progress bars if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda label, done, total: None
        return
    from rich import progress
    from rich.console import Console

    columns = (progress.DownloadColumn(), progress.TransferSpeedColumn(), progress.TimeRemainingColumn())
    bar = progress.Progress("{task.description}", progress.BarColumn(), *columns, console=Console(stderr=True))
    tasks = {}

    def show(label: str, done: int, total: int) -> None:
        bar.start()  # not earlier, because the program may prompt for the account first
        if label not in tasks:
            tasks[label] = bar.add_task(label, completed=done)
        bar.update(tasks[label], completed=done, total=total)

    try:
        yield show
    finally:
        bar.stop()


def show_progress(items: Iterable, total: int, label: str) -> Iterable:
    """Iterate over items, with a progress bar if stderr is a terminal."""
    if not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, label, total, console=Console(stderr=True), transient=True)
