"""Importing this project changes nothing in the process: repairs belong to a program, or to a call."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

MODULES = [
    *("semseg", "semseg.config.read", "semseg.datasets.transforms", "semseg.training", "semseg.checks.gate"),
    *("semseg.inference.segmenter", "semseg.export.model_file", "semseg.serve.app", "semseg.analysis.gap"),
    "semseg.plugins",
]
SHOW = """
import importlib, json, os, sys, traceback, warnings
import torch, mmengine, mmengine.hooks, mmengine.registry.registry as registry, mmengine.runner.checkpoint as checkpoint


def state():
    logger = mmengine.hooks.LoggerHook
    patched = torch.load, checkpoint.print_log, logger.after_test_epoch, registry.import_module
    return [*patched, sys.excepthook, sys.stdout]


def check(module):
    assert not [name for name in sys.modules if name.partition(".")[0] in ("semseg", "mmseg", "mmcv")]
    before, filters = state(), list(warnings.filters)
    importlib.import_module(module)
    assert state() == before
    from semseg.compat.screen import NOISE
    new = [entry for entry in warnings.filters if entry not in filters and entry[1] is not None]
    assert not [entry for entry in new if any(noise in entry[1].pattern for noise in NOISE)], new


for module in sys.argv[1:]:
    sys.stdout.flush()
    if os.fork() == 0:  # each module is imported where no other one is
        printed = os.memfd_create("printed")
        shown = os.dup(1)
        os.dup2(printed, 1)
        error = None
        try:
            check(module)
        except BaseException:
            error = traceback.format_exc()
        sys.stdout.flush()
        os.dup2(shown, 1)
        os.lseek(printed, 0, os.SEEK_SET)
        print(json.dumps([module, error, os.read(printed, 10**6).decode()]), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def outcomes():
    """By module: the traceback of a failed check, and what importing the module printed."""
    done = subprocess.run([sys.executable, "-c", SHOW, *MODULES], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {module: (error, printed) for module, error, printed in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("module", MODULES)
def test_importing_changes_no_filter_and_patches_nothing(module, outcomes):
    error, printed = outcomes[module]
    assert error is None, error
    assert module == "semseg.plugins" or printed == ""  # which imports MMSegmentation's own parts, and they print
