import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from semseg.system.child_process import Ended, describe_failure, run_python


def wait_for(condition):
    while not condition():
        time.sleep(0.02)


def test_the_exit_code_is_returned_and_the_output_is_appended(tmp_path):
    output = tmp_path / "logs/output.txt"
    assert run_python(["-c", "import sys; print('a'); print('b', file=sys.stderr)"], output) == (0, output, 0)
    assert run_python(["-c", "print('c'); raise SystemExit(3)"], output) == (3, output, 4)
    assert run_python(["-c", "import os; os.kill(os.getpid(), 9)"], output) == (-9, output, 6)
    assert output.read_text() == "a\nb\nc\n"


@pytest.mark.parametrize(
    ("printed", "exit_code", "described"),
    [
        ("error: no file\nbye\n\n", 2, "ended with exit code 2: no file"),
        ("Traceback\nKeyError: 3\n", 1, "ended with exit code 1: KeyError: 3"),
        ("", 1, "ended with exit code 1: it printed nothing"),
        ("error: no log\niter 3\n", -9, "was killed by SIGKILL; its last line was: iter 3"),
        ("", -15, "was killed by SIGTERM; it printed nothing"),
        ("", -50, "was killed by signal 50; it printed nothing"),
    ],
)
@pytest.mark.parametrize("earlier", [b"", b"error: \xff of an earlier attempt\n"])
def test_a_failure_is_described_by_the_sentence_of_the_program(tmp_path, earlier, printed, exit_code, described):
    output = tmp_path / "output.txt"
    output.write_bytes(earlier + printed.encode())
    assert describe_failure(Ended(exit_code, output, len(earlier))) == f"{described} (see {output})"


@pytest.mark.skipif(sys.platform != "linux", reason="the signal is raised in the process")
def test_an_attempt_that_was_killed_is_not_explained_by_an_earlier_one(tmp_path):
    output = tmp_path / "output.txt"
    first = run_python(["-c", "print('error: no file'); raise SystemExit(2)"], output)
    second = run_python(["-c", "import os; os.kill(os.getpid(), 9)"], output)
    assert describe_failure(first).startswith("ended with exit code 2: no file")
    assert describe_failure(second) == f"was killed by SIGKILL; it printed nothing (see {output})"


_PARENT = """
import sys
from pathlib import Path
from semseg.system.child_process import run_python
child = '''
import os, signal, sys, time
def save(number, frame):
    print("saved", number, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
signal.signal(signal.SIGINT, save)
print("pid", os.getpid(), flush=True)
time.sleep(60)
'''
run_python(["-c", child], Path(sys.argv[1]))
"""


@pytest.fixture
def parent(tmp_path):
    """A process that waits for its child; the file that the child prints to."""
    output = tmp_path / "output.txt"
    process = subprocess.Popen([sys.executable, "-c", _PARENT, str(output)], stderr=subprocess.DEVNULL)
    wait_for(lambda: output.is_file() and output.read_text().endswith("\n"))
    yield process, output
    process.kill()
    process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_child_save(parent, number):
    process, output = parent
    process.send_signal(number)
    assert process.wait() != 0
    assert f"saved {int(number)}" in output.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux ends the child")
def test_the_child_ends_with_a_killed_parent(parent):
    process, output = parent
    child = int(output.read_text().split()[1])
    process.kill()
    process.wait()

    def is_gone():
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return True
        return Path(f"/proc/{child}/stat").read_text().split()[2] == "Z"  # a zombie, where nobody waits for it

    wait_for(is_gone)
    assert "saved" not in output.read_text()
