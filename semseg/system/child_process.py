"""Run a Python program in a process of its own that does not outlive this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from semseg.system.stopping import Signal, signals_raise

_BOUND_TO_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: kill this process when its parent is killed
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.executable, [sys.executable, "-u", *sys.argv[2:]])
"""
_FAULT = "error: "  # before the sentence of a program that could not do its work
_NUM_LAST_LINES = 20


class Ended(NamedTuple):
    """The end of a process.

    Attributes:
        exit_code: negative: the number of the signal that killed the process.
        output_path: file that it printed to.
        start_bytes: size of this file before: earlier processes printed to it too.
    """

    exit_code: int
    output_path: Path
    start_bytes: int = 0


def bound_arguments(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of an interpreter that runs Python unbuffered, and does not outlive this process.

    On Linux the kernel kills it when this process is killed; other systems have no such rule.

    Args:
        arguments: of the interpreter, such as `["-m", "semseg", "train", ...]`.
    """
    if sys.platform == "linux":
        return ["-I", "-S", "-c", _BOUND_TO_PARENT, str(os.getpid()), *arguments]
    return ["-u", *arguments]


def run_python(arguments: Sequence[str], output_path: Path) -> Ended:
    """Run Python in a process of its own, and wait for its end.

    Ctrl-C and SIGTERM are passed on, so that the process can save its state; then `Signal` is raised.

    Args:
        arguments: of the interpreter, such as `["-m", "semseg", "train", ...]`.
        output_path: what the process prints is appended to this file.

    Raises:
        Signal: this process got Ctrl-C or SIGTERM.
    """
    output_path.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, *bound_arguments(arguments)]
    with output_path.open("ab") as output:
        start_bytes = output.tell()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        with signals_raise():
            return Ended(process.wait(), output_path, start_bytes)
    except Signal as stopped:
        process.send_signal(stopped.number)
        process.wait()
        raise


def describe_failure(ended: Ended) -> str:
    """Return how and why a program of this project failed, such as `ended with exit code 2: no file x (see out.txt)`.

    The reason is the program's own sentence, or else the last line that it printed. A process that was killed could
    not write a sentence about that: its last line says how far it was.
    """
    with ended.output_path.open("rb") as output:
        output.seek(ended.start_bytes)
        text = output.read().decode(errors="replace")
    lines = [line for line in text.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if ended.exit_code < 0:
        reason = f"its last line was: {last}" if last else "it printed nothing"
        return f"was killed by {_signal_name(-ended.exit_code)}; {reason} (see {ended.output_path})"
    faults = [line.removeprefix(_FAULT) for line in lines[-_NUM_LAST_LINES:] if line.startswith(_FAULT)]
    reason = [last, *faults][-1] or "it printed nothing"
    return f"ended with exit code {ended.exit_code}: {reason} (see {ended.output_path})"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have no names
        return f"signal {number}"
