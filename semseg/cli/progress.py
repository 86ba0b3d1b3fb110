"""Progress bars, for whoever watches a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager


@contextmanager
def show_count(what: str) -> Generator[Callable[[int, int], None]]:
    """Lend a function of (done, total) that moves a progress bar if somebody watches."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    # refreshed by hand: a refreshing thread and forked processes do not go together
    with Progress(console=Console(stderr=True), auto_refresh=False, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total, refresh=done % 10 == 0 or done == total)


@contextmanager
def show_bytes() -> Generator[Callable[[str, int, int], None]]:
    """Lend a function of (what, bytes done, bytes of all) that moves progress bars if somebody watches."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich import progress
    from rich.console import Console

    columns = (progress.DownloadColumn(), progress.TransferSpeedColumn(), progress.TimeRemainingColumn())
    bar = progress.Progress("{task.description}", progress.BarColumn(), *columns, console=Console(stderr=True))
    tasks = {}

    def show(what: str, done: int, total: int) -> None:
        bar.start()  # not before: the account may be asked for
        if what not in tasks:
            tasks[what] = bar.add_task(what, completed=done)
        bar.update(tasks[what], completed=done, total=total)

    try:
        yield show
    finally:
        bar.stop()


def show_progress(items: Iterable, total: int, what: str) -> Iterable:
    """Pass items through, with a progress bar if somebody watches."""
    if not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, what, total, console=Console(stderr=True), transient=True)
