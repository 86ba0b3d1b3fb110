"""Name the files that a training cannot read, and stop it when there are too many."""

from __future__ import annotations

import sys
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from semseg.datasets.seeded import NUM_TRIED, UNREADABLE
from semseg.system.stopping import GIVEN_UP
from semseg.training.stopping import StopHook

_MOST_FILES, _MOST_SHARE = 10, 0.05  # of the set


@HOOKS.register_module()
class UnreadableFilesHook(Hook):
    """Name each file that cannot be read once; when there are too many, let StopHook save and stop.

    SeededDataset replaces the samples. Too many are more than 10 files in a process, or 5 % of the set if that is less
    (but one is allowed), or as many in a row as SeededDataset tries. The exit code is 3: a restart would meet the same
    files.
    """

    def __init__(self) -> None:
        self._reasons: dict[str, int] = {}  # how often each was the reason for another sample

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Name the files that this batch should have had."""
        samples = data_batch.get("data_samples", ()) if isinstance(data_batch, dict) else ()
        groups = [reasons for sample in samples if (reasons := sample.get(UNREADABLE))]
        for reason in (reason for reasons in groups for reason in reasons):
            if reason not in self._reasons:
                _warn(runner, f"{reason}; another sample takes its place")
            self._reasons[reason] = self._reasons.get(reason, 0) + 1
        limit = min(_MOST_FILES, max(1, _MOST_SHARE * len(runner.train_dataloader.dataset))) if groups else 0
        if groups and (len(self._reasons) > limit or max(map(len, groups)) >= NUM_TRIED):
            for hook in runner.hooks:
                if isinstance(hook, StopHook):
                    hook.request(GIVEN_UP)

    def after_train(self, runner: Runner) -> None:
        """Say how many samples were replaced."""
        if self._reasons:
            num_files, num_samples = len(self._reasons), sum(self._reasons.values())
            _warn(runner, f"files that could not be read: {num_files}, samples that others replaced: {num_samples}")


def _warn(runner: Runner, sentence: str) -> None:
    if is_main_process():
        runner.logger.warning(sentence)
    else:  # the log has the lines of the first process only
        print(f"warning: {sentence}", file=sys.stderr, flush=True)
