"""Freed memory is kept by the process, if the environment does not say otherwise."""

import os
import subprocess
import sys

import pytest

from tests.conftest import REPO

CODE = """
import ctypes
import resource
import torch
from semseg.system.allocator import keep_freed_memory

ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: pages of 4 KiB only
keep_freed_memory()

def num_faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(20 << 20, dtype=torch.uint8)  # is freed at once
        torch.ones(30 << 20, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

num_faults()
print(num_faults())
"""


def num_faults(**environment):
    names = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    environment = {**inherited, "PYTHONPATH": str(REPO), **environment}
    return int(subprocess.run([sys.executable, "-c", CODE], env=environment, check=True, capture_output=True).stdout)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has GNU's C library")
def test_freed_memory_is_kept_unless_the_environment_says_otherwise():
    assert num_faults() < 1000
    assert num_faults(MALLOC_MMAP_THRESHOLD_="131072") > 50_000  # one for each page of 4 KiB
