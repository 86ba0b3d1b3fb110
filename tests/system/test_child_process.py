import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from semseg.system.child_process import describe_failure, run_python


def wait_for(condition):
    while not condition():
        time.sleep(0.02)


def test_the_exit_code_is_returned_and_the_output_is_appended(tmp_path):
    output = tmp_path / "logs/output.txt"
    assert run_python(["-c", "import sys; print('a'); print('b', file=sys.stderr)"], output) == 0
    assert run_python(["-c", "print('c'); raise SystemExit(3)"], output) == 3
    assert run_python(["-c", "import os; os.kill(os.getpid(), 9)"], output) == -9
    assert output.read_text() == "a\nb\nc\n"


@pytest.mark.parametrize(
    ("printed", "described"),
    [
        ("error: no file\nbye\n\n", "no file"),
        ("Traceback\nKeyError: 3\n", "KeyError: 3"),
        ("", "it printed nothing"),
    ],
)
def test_a_failure_is_described_by_the_sentence_of_the_program(tmp_path, printed, described):
    output = tmp_path / "output.txt"
    output.write_text(printed)
    assert describe_failure(output) == f"{described} (see {output})"


_PARENT = """
import sys
from pathlib import Path
from semseg.system.child_process import describe_failure, run_python
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
