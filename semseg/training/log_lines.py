"""The content of log lines."""

from __future__ import annotations

import re
import resource
import sys
from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.runner import LogProcessor, Runner
from mmseg.registry import HOOKS, LOG_PROCESSORS


@HOOKS.register_module()
class NotesHook(Hook):
    """Log how the config was changed before the run.

    Args:
        lines: one for each change.
    """

    priority = "VERY_HIGH"

    def __init__(self, lines: Sequence[str] = ()) -> None:
        self.lines = lines

    def before_run(self, runner: Runner) -> None:
        """Log the lines."""
        for line in self.lines:
            runner.logger.info(line)


@LOG_PROCESSORS.register_module()
class SegLogProcessor(LogProcessor):
    """MMEngine's log lines without the per-class scores, and with the memory of the process on a CPU.

    The per-class scores are in the table above the line, and in TensorBoard.
    """

    def get_log_after_iter(self, runner: Runner, batch_idx: int, mode: str) -> tuple[dict, str]:
        """Return the scalars and the line; `memory` is the peak in MiB, of the GPU or else of the process."""
        tag, line = super().get_log_after_iter(runner, batch_idx, mode)
        if "memory" not in tag:
            unit = 1024**2 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
            tag["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit
            line = re.sub(r"(data_time: \S+  )", rf"\1memory: {tag['memory']}  ", line)
        return tag, line

    def get_log_after_epoch(
        self, runner: Runner, batch_idx: int, mode: str, with_non_scalar: bool = False
    ) -> tuple[dict, str]:
        """Return all scalars, and the line with the means only."""
        tag, line = super().get_log_after_epoch(runner, batch_idx, mode, with_non_scalar)
        return tag, re.sub(r"(?:IoU|Acc)/[^:]+: \S+  ", "", line)
