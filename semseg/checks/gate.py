"""The check that runs before every training and every test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import cast

import torch.distributed
from mmengine.config import Config
from mmengine.dist import is_distributed, is_main_process

from semseg.checks.config import check_config
from semseg.checks.findings import sort_findings
from semseg.checks.machine_limits import check_machine
from semseg.checks.recipe import check_recipe
from semseg.errors import InvalidDataError, SemsegError
from semseg.system.machine import num_cpus
from semseg.system.wording import for_people

_SPLITS = {"count": ("train",), "train": ("train", "val"), "test": ("test",)}
_OPTIONS = {"count": "check", "train": "check", "test": "no_check"}  # that skip the check: --no-check in both programs
_MAX_WAIT = timedelta(days=1)  # of the other processes for the first one


def check_before_run(cfg: Config, step: str) -> None:
    """Check the data that a step will read, and what a training needs of the machine. Warnings are printed.

    With several processes, the first one checks and the others wait. An error is raised in all of them.

    Args:
        cfg: the finished config.
        step: train, test, or count: before the classes of the training masks are counted. The check before the training
            follows, so this one prints no warnings.

    Raises:
        ValueError: there are errors; the message has one line for each.
    """
    message_and_code: list[str | None] = list(_collect_errors(cfg, step)) if is_main_process() else ["", None]
    if is_distributed():
        group = cast("torch.distributed.ProcessGroup", torch.distributed.new_group(backend="gloo", timeout=_MAX_WAIT))
        torch.distributed.broadcast_object_list(message_and_code, src=0, group=group)
    message, code = message_and_code
    if message:
        raise InvalidDataError(message, code=code)


def _collect_errors(cfg: Config, step: str) -> tuple[str, str | None]:
    """Return all errors as one message, empty for none, and its code.

    An exception of the check itself is returned too: if it were raised here, the other processes would keep waiting.
    """
    try:
        with _progress() as show:
            report = check_config(cfg, _SPLITS[step], num_processes=num_cpus(), on_progress=show)
        more_findings = [*check_recipe(cfg), *check_machine(cfg)] if step == "train" else []
    except (ValueError, FileNotFoundError) as error:
        return str(error), error.code if isinstance(error, SemsegError) else None
    findings = sort_findings([*report.findings, *more_findings])
    for finding in findings:
        if finding.kind == "warning" and step != "count":
            print(f"{finding.kind}: {for_people(finding.line())}")
    errors = [finding for finding in findings if finding.kind == "error"]
    if not errors:
        return "", None
    lines = "\n".join(f"  {error.line()}" for error in errors)
    subject = f"the data of {report.source}" if report.of_kind("error") else report.source
    return f"{subject} cannot be used as it is (`{_OPTIONS[step]}` goes on with it):\n{lines}", "E-data-findings"


@contextmanager
def _progress() -> Generator[Callable[[int, int], None]]:
    """Yield a function of (done, total) that moves a progress bar, on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    # refreshed by hand: a thread that refreshes does not work together with forked processes
    with Progress(console=Console(stderr=True), auto_refresh=False, transient=True) as bar:
        task = bar.add_task("checking the data", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total, refresh=done % 10 == 0 or done == total)
