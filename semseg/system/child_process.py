"""Run a Python program in a process of its own that does not outlive this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from semseg.system.stopping import Signal, signals_raise

_BOUND_TO_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: kill this process when its parent is killed
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.executable, [sys.executable, "-u", *sys.argv[2:]])
"""
_FAULT = "error: "  # before the sentence of a program that could not do its work
_NUM_LAST_LINES = 20


def run_python(arguments: Sequence[str], output_path: Path) -> int:
    """Run Python in a process of its own, and wait for its end.

    Ctrl-C and SIGTERM are passed on, so that the process can save its state; then `Signal` is raised.

    Args:
        arguments: of the interpreter, such as `["-m", "semseg", "train", ...]`.
        output_path: what the process prints is appended to this file.

    Returns:
        The exit code; negative: the number of the signal that killed the process.

    Raises:
        Signal: this process got Ctrl-C or SIGTERM.
    """
    output_path.parent.mkdir(parents=True, exist_ok=True)
    command = ["-u", *arguments]
    if sys.platform == "linux":
        command = ["-I", "-S", "-c", _BOUND_TO_PARENT, str(os.getpid()), *arguments]
    with output_path.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        with signals_raise():
            return process.wait()
    except Signal as stopped:
        process.send_signal(stopped.number)
        process.wait()
        raise


def describe_failure(output_path: Path) -> str:
    """Return why a program of this project failed: its own sentence, or else its last line; and where its output is."""
    lines = [line for line in output_path.read_text(errors="replace").splitlines() if line.strip()]
    faults = [line.removeprefix(_FAULT) for line in lines[-_NUM_LAST_LINES:] if line.startswith(_FAULT)]
    return f"{[*lines[-1:], *faults][-1] if lines else 'it printed nothing'} (see {output_path})"
