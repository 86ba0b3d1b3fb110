"""The check that runs before every training and every test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch.distributed
from mmengine.config import Config
from mmengine.dist import is_distributed, is_main_process

from semseg.checks.config import check_config
from semseg.checks.findings import sorted_findings
from semseg.checks.machine_limits import check_machine
from semseg.checks.recipe import check_recipe
from semseg.errors import InvalidDataError
from semseg.system.machine import num_cpus

_SPLITS = {"train": ("train", "val"), "test": ("test",)}
_LONGEST = timedelta(days=1)  # that the other processes wait for the first


def check_before(cfg: Config, step: str) -> None:
    """Check the data that a step is going to read, and what a training asks of the machine; warnings are printed.

    Of several processes the first one checks and the others wait; all of them raise.

    Args:
        cfg: the finished config.
        step: train or test.

    Raises:
        ValueError: there are faults; one line for each.
    """
    complaint = [_complaint(cfg, step) if is_main_process() else ""]
    if is_distributed():
        waiting = torch.distributed.new_group(backend="gloo", timeout=_LONGEST)
        torch.distributed.broadcast_object_list(complaint, src=0, group=waiting)
    if complaint[0]:
        raise InvalidDataError(complaint[0])


def _complaint(cfg: Config, step: str) -> str:
    """Return the errors as one text; a fault of the check itself is one too, so that nobody waits for it."""
    try:
        with _progress() as show:
            report = check_config(cfg, _SPLITS[step], num_processes=num_cpus(), on_progress=show)
        own = [*check_recipe(cfg), *check_machine(cfg)] if step == "train" else []
    except (ValueError, FileNotFoundError) as error:
        return str(error)
    findings = sorted_findings([*report.findings, *own])
    for finding in findings:
        if finding.kind == "warning":
            print(f"{finding.kind}: {finding.line()}")
    errors = [finding for finding in findings if finding.kind == "error"]
    if not errors:
        return ""
    lines = "\n".join(f"  {error.line()}" for error in errors)
    what = f"the data of {report.source}" if report.of_kind("error") else report.source
    return f"{what} cannot be used as it is (--no-check goes on with it):\n{lines}"


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Lend a function of (done, total) that moves a progress bar if somebody watches."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    # refreshed by hand: a refreshing thread and forked processes do not go together
    with Progress(console=Console(stderr=True), auto_refresh=False, transient=True) as bar:
        task = bar.add_task("checking the data", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total, refresh=done % 10 == 0 or done == total)
