"""Processes that are measured: whole programs, and servers that start once and work when they are asked to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import ROOT, Floor

STOCK: dict[str, str | None] = {"OMP_WAIT_POLICY": None, "GOMP_SPINCOUNT": None}
OURS: dict[str, str | None] = {**STOCK, "GOMP_SPINCOUNT": "1000"}  # as semseg.cli.program sets it
ENVIRONMENTS = {"ours": OURS, "stock": STOCK}


def run_program(command: list, folder: Path) -> float:
    """Run a Python program and return its peak memory in MiB, at least the memory of this process (Linux)."""
    log_path = folder / "log"
    with log_path.open("wb") as log:
        process = subprocess.Popen([sys.executable, *map(str, command)], stdout=log, stderr=log, cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # wait4 has reaped the process, so Popen need not wait
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {log_path.read_text()[-500:]}")
    return usage.ru_maxrss / 1024


def run_module(name: str, *arguments: object) -> dict:
    """Run a module of bench/ in a process of its own, and return what it prints last, as JSON."""
    command = [sys.executable, "-m", name, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"python {' '.join(command[1:])} failed: {_last_line(done.stderr)}")
    return json.loads(done.stdout.splitlines()[-1])


def peak_mib(process: int | str = "self") -> float:
    """Return the largest memory of a process so far (Linux)."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


class Server:
    """A process of a module of bench/ that calls `serve`; it is ready when this object exists, and ends with it.

    Args:
        environment: variables besides those of this process; None removes one.
        module: such as `bench.steps`.
        arguments: of its command line.

    Raises:
        RuntimeError: the process has failed, now or in a method.
    """

    def __init__(self, environment: dict[str, str | None], module: str, *arguments: object) -> None:
        merged = {**os.environ, **environment}
        self._name = " ".join(map(str, [module, *arguments]))
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  it is read when the process has failed
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=ROOT,
            env={name: value for name, value in merged.items() if value is not None},
        )
        self.run()

    def run(self) -> float:
        """Let it work once, and return its peak memory in MiB: that of the GPU if it uses one."""
        return self._ask("run")

    def floor(self) -> Floor:
        """Return the floor of one run; this measures for a second how fast the device multiplies."""
        return Floor(*self._ask("floor"))

    def facts(self) -> dict:
        """Return what the process says about one run, such as the number of images."""
        return self._ask("facts")

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _ask(self, order: str):
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(f"{order}\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            self._process.wait()
            self._errors.seek(0)
            raise RuntimeError(f"python -m {self._name} failed: {_last_line(self._errors.read())}") from None


def serve(work: Callable[[], None], count_macs: Callable[[], int], precision: str, **facts: float) -> None:
    """Answer the orders of a `Server` until it is closed; what else is printed goes to the standard error output.

    Args:
        work: what one run does.
        count_macs: returns the multiply-accumulate operations of one run.
        precision: in which most of them are made, see `bench.floor.measure`.
        facts: about one run, for `Server.facts`.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import torch

    from bench import floor

    if floor.device().type == "cuda":  # what was needed to count operations does not count
        torch.cuda.reset_peak_memory_stats()
    for line in sys.stdin:
        if line == "run\n":
            work()
            if floor.device().type == "cuda":
                torch.cuda.synchronize()
                answer = torch.cuda.max_memory_allocated() / 2**20
            else:
                answer = peak_mib()
        elif line == "facts\n":
            answer = facts
        else:
            answer = floor.measure(count_macs(), precision)
        print(json.dumps(answer), file=answers, flush=True)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it printed nothing"])[-1]
