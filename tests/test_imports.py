"""Importing this project changes nothing in the process: repairs belong to a program, or to a call."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

SHOW = """
import io, sys, warnings
import torch, mmengine, mmengine.hooks, mmengine.registry.registry as registry, mmengine.runner.checkpoint as checkpoint


def state():
    logger = mmengine.hooks.LoggerHook
    patched = torch.load, checkpoint.print_log, logger.after_test_epoch, registry.import_module
    return [*patched, sys.excepthook, sys.stdout]


before, filters = state(), list(warnings.filters)
import {module}
assert state() == before
from semseg.compat import _NOISE
new = [entry for entry in warnings.filters if entry not in filters and entry[1] is not None]
assert not [entry for entry in new if any(noise in entry[1].pattern for noise in _NOISE)], new
"""


@pytest.mark.parametrize(
    "module",
    [
        *("semseg", "semseg.config.read", "semseg.datasets.transforms", "semseg.training", "semseg.checks.gate"),
        *("semseg.inference.segmenter", "semseg.export.model_file", "semseg.serve.app", "semseg.analysis.gap"),
        "semseg.plugins",
    ],
)
def test_importing_changes_no_filter_and_patches_nothing(module):
    done = subprocess.run([sys.executable, "-c", SHOW.format(module=module)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert module == "semseg.plugins" or done.stdout == ""  # which imports MMSegmentation's own parts, and they print
