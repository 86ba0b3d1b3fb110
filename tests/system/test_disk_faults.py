"""Samples of the crash states and of the faults of a disk; `bench/crash_states.py` and `disk_faults.py` try all."""

import subprocess
import sys

import pytest

from bench.system_calls import is_supported
from tests.conftest import REPO

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_supported(), reason="needs seccomp of Linux on x86-64"),
]


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (["crash_states.py", "--only", "training", "convert", "--states", "25", "--continued", "1"], "50 crash states"),
        (["disk_faults.py", "--only", "convert", "drawn", "--most", "2"], "12 runs with a fault"),
    ],
)
def test_nothing_is_lost(town, program, said):
    program = [REPO / "bench" / program[0], *program[1:], "--data", town / "data"]
    done = subprocess.run([sys.executable, *map(str, program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{said}, 0 faults" in done.stdout
