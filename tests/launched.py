"""Launchers in processes of their own, for the tests of the launcher."""

import os
import signal
import socket
import sys
import time
import traceback
from pathlib import Path

import semseg.launch.agent  # noqa: F401  imports PyTorch, which the forked launchers then have
from semseg.cli.program import run_tool
from semseg.launch import processes

WAIT_S = 300  # nothing waits so long on a quiet machine


class Launched:
    """A launcher that runs in a process of its own; forked, because importing PyTorch takes longer than all else."""

    started = []

    def __init__(self, cwd, *arguments, **environment):
        self.started.append(self)
        self.output_path = Path(cwd, f"output{len(self.started)}.txt")
        sys.stdout.flush()
        self.ended = False
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.chdir(cwd)
                output = os.open(self.output_path, os.O_WRONLY | os.O_CREAT)
                os.dup2(output, 1)
                os.dup2(output, 2)
                sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
                os.environ.update({"OMP_NUM_THREADS": "1", **environment})
                sys.argv = ["launch", *map(str, arguments)]
                run_tool(processes.main)
            except SystemExit as end:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(end.code)
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(99)

    @property
    def output(self):
        return self.output_path.read_text() if self.output_path.exists() else ""

    def send(self, number):
        os.kill(self.pid, number)

    def end(self):
        """Wait for the end and return the exit code; negative is a signal."""
        _, status = wait_for(lambda: (ended := os.waitpid(self.pid, os.WNOHANG)) != (0, 0) and ended, self)
        self.ended = True
        return os.waitstatus_to_exitcode(status)

    @classmethod
    def kill_all(cls):
        """Kill those that a failed test has left, and with them their processes."""
        for one in cls.started:
            if not one.ended:
                one.send(signal.SIGKILL)
                one.end()


def wait_for(seen, *launched):
    """Return what `seen` returns, as soon as it is true."""
    give_up = time.monotonic() + WAIT_S
    while not (found := seen()):
        assert time.monotonic() < give_up, "\n".join(one.output for one in launched)
        time.sleep(0.02)
    return found


def runs(pid):
    """Return whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def write_worker(cwd, code):
    """Write the script that the processes run, behind a few lines that every one needs."""
    path = cwd / "worker.py"
    head = "import os, signal, socket, subprocess, sys, time\nfrom pathlib import Path\n"
    names = "rank, count = os.environ['RANK'], int(os.environ['TORCHELASTIC_RESTART_COUNT'])\n"
    path.write_text(f"{head}{names}Path(f'pid{{rank}}').write_text(str(os.getpid()))\n{code}")
    return path
